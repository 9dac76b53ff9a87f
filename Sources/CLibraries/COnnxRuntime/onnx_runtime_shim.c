#include "onnx_runtime_shim.h"
