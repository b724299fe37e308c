// What Rust and the shim over oneDNN agree on; src/onednn/ffi.rs is the same in Rust.
#pragma once

#include <cstdint>

extern "C" {

enum ReelnetDirection : int64_t {
    REELNET_FORWARD = 0,
    REELNET_INPUT_GRADIENT = 1,
    REELNET_WEIGHT_GRADIENT = 2,
};

// One convolution over two or three axes, innermost last. With two axes the first entry of each triple is unused.
// Every field has 64 bits, so that there is no padding to agree on.
struct ReelnetConv {
    int64_t direction;
    int64_t axes;
    int64_t batch, channels_in, channels_out, groups;
    int64_t size[3], output[3], kernel[3], stride[3], dilation[3], before[3], after[3];
    int64_t has_bias;
    // Activations and their gradients are bfloat16 instead of 32-bit floats; weights, biases and their gradients stay floats.
    int64_t half;
    int64_t threads;
};

struct ReelnetPlanInfo {
    // Bytes that a run needs beside its arguments.
    uint64_t scratch;
    // Bytes of the weights as the kernel wants them; 0 where it takes them as they are.
    uint64_t packed;
    // How many activations a run copies into another layout.
    uint64_t reorders;
    char implementation[64];
};

struct ReelnetLibrary {
    int64_t major, minor, patch;
    // dnnl_cpu_isa_t
    int64_t instructions;
    // 1 where the library takes its number of threads from OpenMP, and therefore from us.
    int64_t openmp;
};

struct ReelnetPlan;

// Each returns 0, or 1 with the reason in reelnet_onednn_error.
int reelnet_onednn_plan(const ReelnetConv *conv, ReelnetPlan **plan, ReelnetPlanInfo *info);
int reelnet_onednn_pack(const ReelnetPlan *plan, const void *weights, void *packed);
// `source` and `destination` are the convolution's input and output or their gradients, `weights` are packed or plain, or the
// plain gradient; which of them is written follows from the direction.
int reelnet_onednn_run(const ReelnetPlan *plan, void *source, void *weights, void *bias, void *destination, void *scratch);
void reelnet_onednn_free(ReelnetPlan *plan);

// Calls `work` on as many threads of oneDNN's own at once. 1 where it has none that can be borrowed; then nothing was called.
int reelnet_onednn_team(int64_t threads, void (*work)(void *), void *context);

void reelnet_onednn_library(ReelnetLibrary *library);
// Why the last call of this thread failed; valid until its next call.
const char *reelnet_onednn_error(void);
}
