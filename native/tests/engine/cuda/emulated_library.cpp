// The whole library, against the emulation.
#include "engine/cuda/device/library.cu"
