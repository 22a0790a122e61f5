/* python.exe: all of Python is in python311.dll. */
#include <wchar.h>
int __declspec(dllimport) Py_Main(int, wchar_t **);
int wmain(int count, wchar_t **arguments) { return Py_Main(count, arguments); }
