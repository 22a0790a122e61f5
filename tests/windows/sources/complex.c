/* Functions of complex numbers that Windows' C runtime has and Wine's has not. `long double` is
   `double` there, and numbers are passed as they are here. */
#include <complex.h>

#define OF_COMPLEX(result, type, name, of) result shim_##name(type z) { return of(z); }
#define COMPLEX(name) \
    OF_COMPLEX(double _Complex, double _Complex, name, name) \
    OF_COMPLEX(float _Complex, float _Complex, name##f, name##f) \
    OF_COMPLEX(double _Complex, double _Complex, name##l, name)
#define REAL(name) \
    OF_COMPLEX(double, double _Complex, name, name) \
    OF_COMPLEX(float, float _Complex, name##f, name##f) \
    OF_COMPLEX(double, double _Complex, name##l, name)

COMPLEX(ccos)
COMPLEX(ccosh)
COMPLEX(cexp)
COMPLEX(csin)
COMPLEX(csinh)
COMPLEX(ctan)
COMPLEX(ctanh)
REAL(cabs)
REAL(carg)
REAL(cimag)
REAL(creal)

double _Complex shim_cpow(double _Complex a, double _Complex b) { return cpow(a, b); }
float _Complex shim_cpowf(float _Complex a, float _Complex b) { return cpowf(a, b); }
double _Complex shim_cpowl(double _Complex a, double _Complex b) { return cpow(a, b); }
