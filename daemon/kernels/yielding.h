// Yielding the processor to another thread.
//
// Not by std::this_thread, which would bind the library to a C++ runtime that it needs for nothing
// else: a user may not have it, and building it for another system takes minutes.
#pragma once

#if defined(_WIN32)
extern "C" __declspec(dllimport) int __stdcall SwitchToThread();
inline void yield_processor() { SwitchToThread(); }
#else
#include <sched.h>
inline void yield_processor() { sched_yield(); }
#endif
