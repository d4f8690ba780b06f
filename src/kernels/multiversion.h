#pragma once

/// Compiles the function that follows for each of these instruction sets; the program picks the processor's best one
/// when it starts. For loops over vectors. Callees must be inlined to benefit. The thread sanitizer gets one version:
/// its run-time library is not ready yet when the choice is made.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_THREAD__)
#define SFUMATO_MULTIVERSION [[gnu::target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")]]
#else
#define SFUMATO_MULTIVERSION
#endif
