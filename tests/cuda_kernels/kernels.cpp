// The kernels and their launchers, compiled for the host.
#include "kernels/cuda/kernels.cu"
