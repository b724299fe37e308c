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
    // Whether it is a kernel of the library's that is only there to be right, and takes a hundred times as long as a compiled one.
    int64_t is_reference;
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

// A convolution of inference and what follows it while its results are at hand, in this order: gates, what is in the destination
// already, an activation.
struct ReelnetFused {
    ReelnetConv conv;
    // ReelnetNumber
    int64_t source, destination, residual;
    // ReelnetActivation
    int64_t activation;
    // Multiplies by a 32-bit float a channel.
    int64_t is_gated;
    // Adds what is in the destination already, of type `residual`.
    int64_t accumulates;
    // 3x3 kernels of 32-bit floats by Winograd's F(4x4, 3x3).
    int64_t winograd;
    // What a residual's and a result's unit is worth, for 8-bit numbers.
    float residual_scale, destination_scale;
};

enum ReelnetNumber : int64_t { REELNET_F32 = 0, REELNET_BF16 = 1, REELNET_U8 = 2, REELNET_S8 = 3 };
enum ReelnetActivation : int64_t {
    REELNET_NOTHING = 0,
    REELNET_RELU = 1,
    REELNET_RELU6 = 2,
    REELNET_SWISH = 3,
    REELNET_SIGMOID = 4,
};

// One pooling window over channels-last activations.
struct ReelnetPool {
    int64_t batch, channels;
    int64_t size[3], output[3], kernel[3], stride[3], before[3], after[3];
    // The mean of what is not padding instead of the largest.
    int64_t is_average;
    // ReelnetNumber, of source and destination.
    int64_t number;
    int64_t threads;
};

struct ReelnetFusedPlan;

// `scales` are what a unit of an 8-bit sum is worth, one a channel; null for floats.
int reelnet_fused_plan(const ReelnetFused *fused, const float *scales, ReelnetFusedPlan **plan, ReelnetPlanInfo *info);
int reelnet_pool_plan(const ReelnetPool *pool, ReelnetFusedPlan **plan, ReelnetPlanInfo *info);
// `weights` are 32-bit floats, or signed bytes where the source has 8 bits.
int reelnet_fused_pack(const ReelnetFusedPlan *plan, const void *weights, void *packed);
// A plan is run by one thread at a time. What it has no use for may be null.
int reelnet_fused_run(ReelnetFusedPlan *plan, const void *source, const void *weights, const void *bias, const void *gate,
                      void *destination, void *scratch);
// Whether two plans take their weights packed alike; packing what is packed for one plan for another.
int reelnet_fused_same_weights(const ReelnetFusedPlan *a, const ReelnetFusedPlan *b);
int reelnet_fused_repack(const ReelnetFusedPlan *from, const void *packed, const ReelnetFusedPlan *to, void *repacked);
void reelnet_fused_free(ReelnetFusedPlan *plan);

// Calls `work` on as many threads of oneDNN's own at once. 1 where it has none that can be borrowed; then nothing was called.
int reelnet_onednn_team(int64_t threads, void (*work)(void *), void *context);

void reelnet_onednn_library(ReelnetLibrary *library);
// Why the last call of this thread failed; valid until its next call.
const char *reelnet_onednn_error(void);
}
