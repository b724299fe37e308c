// The C++ between Rust and oneDNN: plans for convolutions over channels-last activations. Compiles against oneDNN 2.6 and 3.x.
#include "onednn.h"

#include <dlfcn.h>

#include <cstring>
#include <exception>
#include <memory>
#include <string>
#include <unordered_map>

#include <oneapi/dnnl/dnnl.hpp>

#if DNNL_CPU_THREADING_RUNTIME == DNNL_RUNTIME_THREADPOOL
#error "this oneDNN was built for a thread pool of the caller; build with one for OpenMP, or with --no-default-features"
#endif

using dnnl::memory;
using Tag = memory::format_tag;
using Type = memory::data_type;

namespace {

thread_local std::string last_error;

dnnl::engine &engine() {
    static dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
    return cpu;
}

dnnl::stream &stream() {
    thread_local dnnl::stream own(engine());
    return own;
}

// The OpenMP that oneDNN itself is linked with, whichever that is: asking the loader needs none at build time.
using SetThreads = void (*)(int);
SetThreads set_threads_of_openmp() {
    static const auto function = reinterpret_cast<SetThreads>(dlsym(RTLD_DEFAULT, "omp_set_num_threads"));
    return function;
}

void set_threads(int64_t threads) {
    // OpenMP keeps the number a calling thread.
    thread_local int64_t current = 0;
    if (threads == current) return;
    if (auto set = set_threads_of_openmp()) set(static_cast<int>(threads));
    current = threads;
}

// Runs `body`; an exception may not cross into Rust.
template <typename Body>
int guarded(Body body) {
    try {
        body();
        return 0;
    } catch (const dnnl::error &error) {
        last_error = error.message ? error.message : "unknown error";
        last_error += " (status " + std::to_string(static_cast<int>(error.status)) + ")";
    } catch (const std::exception &error) {
        last_error = error.what();
    } catch (...) {
        last_error = "unknown error";
    }
    return 1;
}

uint64_t aligned(uint64_t bytes) { return (bytes + 63) & ~uint64_t(63); }

// A copy between the caller's layout and the kernel's, if they differ.
struct Reorder {
    bool needed = false;
    dnnl::primitive primitive;
    memory::desc from, to;
    uint64_t scratch_offset = 0;

    void plan(const memory::desc &source, const memory::desc &target) {
        needed = source != target;
        if (!needed) return;
        from = source;
        to = target;
        primitive = dnnl::reorder(dnnl::reorder::primitive_desc(engine(), from, engine(), to));
    }
    void run(void *source, void *target) const {
        primitive.execute(stream(), {{DNNL_ARG_FROM, memory(from, engine(), source)}, {DNNL_ARG_TO, memory(to, engine(), target)}});
    }
};

}  // namespace

struct ReelnetPlan {
    int64_t direction, threads;
    dnnl::primitive primitive;
    // As the kernel wants them.
    memory::desc source, weights, destination, bias, scratch;
    bool has_bias;
    Reorder source_reorder, weights_reorder, destination_reorder;
    std::string implementation;
    uint64_t scratch_bytes = 0;
    // The kernel multiplies scratch memory that it never wrote by zero, which is zero only for numbers.
    bool needs_clear_scratch = false;
};

namespace {

struct Descriptors {
    memory::desc source, weights, bias, destination;
};

struct Geometry {
    memory::dims stride, dilation, before, after;
};

memory::dims dims_of(const ReelnetConv &conv, const int64_t values[3], int64_t minus = 0) {
    memory::dims dims;
    for (int64_t axis = 3 - conv.axes; axis < 3; ++axis) dims.push_back(values[axis] - minus);
    return dims;
}

memory::dims with(memory::dims head, const memory::dims &tail) {
    head.insert(head.end(), tail.begin(), tail.end());
    return head;
}

// Some compiled weight gradients of oneDNN 2.6 are wrong, and some write beyond their memory: of bfloat16 over three axes, with
// dilation, and with strides of a 1x1 kernel; of floats over three axes, where the padding of an axis reaches over the middle of the
// window (docs/decisions/0022-wrong-weight-gradients.md).
bool may_be_wrong(const ReelnetConv &conv, const std::string &implementation) {
    if (implementation.compare(0, 3, "jit") != 0) return false;
    if (conv.half) {
        if (conv.axes == 3) return true;
        const bool is_pointwise = implementation.compare(0, 12, "jit_bf16_1x1") == 0;
        for (int axis = 1; axis < 3; ++axis)
            if (conv.dilation[axis] > 1 || (is_pointwise && conv.stride[axis] > 1)) return true;
        return false;
    }
    if (conv.axes == 2) return false;
    for (int axis = 0; axis < 3; ++axis) {
        const int64_t reach = conv.dilation[axis] * (conv.kernel[axis] - 1) + 1;
        if (conv.before[axis] > reach / 2 || conv.after[axis] > reach / 2) return true;
    }
    return false;
}

void step_past_wrong_kernels(const ReelnetConv &conv, dnnl::convolution_backward_weights::primitive_desc &chosen) {
    while (may_be_wrong(conv, chosen.impl_info_str()))
        if (!chosen.next_impl()) throw std::runtime_error("every weight gradient for it may be wrong");
}

#if DNNL_VERSION_MAJOR >= 3
dnnl::convolution_forward::primitive_desc forward(dnnl::prop_kind kind, const Descriptors &d, const Geometry &g, bool bias,
                                                  const dnnl::primitive_attr &attr) {
    const auto direct = dnnl::algorithm::convolution_direct;
    if (bias)
        return {engine(), kind, direct, d.source, d.weights, d.bias, d.destination, g.stride, g.dilation, g.before, g.after, attr};
    return {engine(), kind, direct, d.source, d.weights, d.destination, g.stride, g.dilation, g.before, g.after, attr};
}
dnnl::convolution_backward_data::primitive_desc input_gradient(const Descriptors &d, const Geometry &g,
                                                               const dnnl::convolution_forward::primitive_desc &hint,
                                                               const dnnl::primitive_attr &attr) {
    return {engine(), dnnl::algorithm::convolution_direct, d.source, d.weights, d.destination, g.stride, g.dilation, g.before,
            g.after, hint, attr};
}
dnnl::convolution_backward_weights::primitive_desc weight_gradient(const ReelnetConv &conv, const Descriptors &d, const Geometry &g,
                                                                   const dnnl::convolution_forward::primitive_desc &hint,
                                                                   const dnnl::primitive_attr &attr) {
    using Chosen = dnnl::convolution_backward_weights::primitive_desc;
    const auto direct = dnnl::algorithm::convolution_direct;
    auto chosen = conv.has_bias ? Chosen(engine(), direct, d.source, d.weights, d.bias, d.destination, g.stride, g.dilation, g.before,
                                         g.after, hint, attr)
                                : Chosen(engine(), direct, d.source, d.weights, d.destination, g.stride, g.dilation, g.before,
                                         g.after, hint, attr);
    step_past_wrong_kernels(conv, chosen);
    return chosen;
}
#else
dnnl::convolution_forward::primitive_desc forward(dnnl::prop_kind kind, const Descriptors &d, const Geometry &g, bool bias,
                                                  const dnnl::primitive_attr &attr) {
    const auto direct = dnnl::algorithm::convolution_direct;
    using Desc = dnnl::convolution_forward::desc;
    const auto desc = bias ? Desc(kind, direct, d.source, d.weights, d.bias, d.destination, g.stride, g.dilation, g.before, g.after)
                           : Desc(kind, direct, d.source, d.weights, d.destination, g.stride, g.dilation, g.before, g.after);
    return {desc, attr, engine()};
}
dnnl::convolution_backward_data::primitive_desc input_gradient(const Descriptors &d, const Geometry &g,
                                                               const dnnl::convolution_forward::primitive_desc &hint,
                                                               const dnnl::primitive_attr &attr) {
    const dnnl::convolution_backward_data::desc desc(dnnl::algorithm::convolution_direct, d.source, d.weights, d.destination,
                                                     g.stride, g.dilation, g.before, g.after);
    return {desc, attr, engine(), hint};
}
dnnl::convolution_backward_weights::primitive_desc weight_gradient(const ReelnetConv &conv, const Descriptors &d, const Geometry &g,
                                                                   const dnnl::convolution_forward::primitive_desc &hint,
                                                                   const dnnl::primitive_attr &attr) {
    const auto direct = dnnl::algorithm::convolution_direct;
    using Desc = dnnl::convolution_backward_weights::desc;
    const auto desc = conv.has_bias
                          ? Desc(direct, d.source, d.weights, d.bias, d.destination, g.stride, g.dilation, g.before, g.after)
                          : Desc(direct, d.source, d.weights, d.destination, g.stride, g.dilation, g.before, g.after);
    dnnl::convolution_backward_weights::primitive_desc chosen(desc, attr, engine(), hint);
    // Here, where `desc` lives: the iterator behind `chosen` only points to it.
    step_past_wrong_kernels(conv, chosen);
    return chosen;
}
#endif

// Which activations a plan may lay out as it likes; the others stay channels-last.
struct Freedom {
    bool source, destination;
};

std::unique_ptr<ReelnetPlan> build(const ReelnetConv &conv, Freedom free) {
    auto plan = std::make_unique<ReelnetPlan>();
    plan->direction = conv.direction;
    plan->threads = conv.threads;
    plan->has_bias = conv.has_bias != 0;

    const bool planar = conv.axes == 2;
    const Tag last = planar ? Tag::nhwc : Tag::ndhwc;
    const auto source_dims = with({conv.batch, conv.channels_in}, dims_of(conv, conv.size));
    const auto output_dims = with({conv.batch, conv.channels_out}, dims_of(conv, conv.output));
    memory::dims head = {conv.channels_out / conv.groups, conv.channels_in / conv.groups};
    Tag weights_tag = planar ? Tag::oihw : Tag::oidhw;
    if (conv.groups > 1) {
        head.insert(head.begin(), conv.groups);
        weights_tag = planar ? Tag::goihw : Tag::goidhw;
    }
    const auto weight_dims = with(head, dims_of(conv, conv.kernel));

    const Type type = conv.half ? Type::bf16 : Type::f32;
    const memory::desc users_source(source_dims, type, last), users_destination(output_dims, type, last);
    const memory::desc users_weights(weight_dims, Type::f32, weights_tag);
    plan->bias = memory::desc({conv.channels_out}, Type::f32, Tag::a);

    Descriptors d;
    d.source = memory::desc(source_dims, type, free.source ? Tag::any : last);
    d.destination = memory::desc(output_dims, type, free.destination ? Tag::any : last);
    d.weights = memory::desc(weight_dims, type, Tag::any);
    d.bias = plan->bias;
    const Geometry g = {dims_of(conv, conv.stride), dims_of(conv, conv.dilation, 1), dims_of(conv, conv.before),
                        dims_of(conv, conv.after)};
    dnnl::primitive_attr attr;
    attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);

    const auto take = [&](const auto &chosen) {
        plan->scratch = chosen.scratchpad_desc();
        plan->implementation = chosen.impl_info_str();
    };
    if (conv.direction == REELNET_FORWARD) {
        const auto chosen = forward(dnnl::prop_kind::forward_inference, d, g, plan->has_bias, attr);
        take(chosen);
        plan->source = chosen.src_desc();
        plan->weights = chosen.weights_desc();
        plan->destination = chosen.dst_desc();
        plan->primitive = dnnl::convolution_forward(chosen);
        plan->source_reorder.plan(users_source, plan->source);
        plan->weights_reorder.plan(users_weights, plan->weights);
        plan->destination_reorder.plan(plan->destination, users_destination);
    } else if (conv.direction == REELNET_INPUT_GRADIENT) {
        const auto hint = forward(dnnl::prop_kind::forward_training, d, g, false, dnnl::primitive_attr());
        const auto chosen = input_gradient(d, g, hint, attr);
        take(chosen);
        plan->source = chosen.diff_src_desc();
        plan->weights = chosen.weights_desc();
        plan->destination = chosen.diff_dst_desc();
        plan->primitive = dnnl::convolution_backward_data(chosen);
        plan->source_reorder.plan(plan->source, users_source);
        plan->weights_reorder.plan(users_weights, plan->weights);
        plan->destination_reorder.plan(users_destination, plan->destination);
    } else {
        const auto hint = forward(dnnl::prop_kind::forward_training, d, g, plan->has_bias, dnnl::primitive_attr());
        // The gradient of bfloat16 products is summed, and kept, in 32 bits.
        d.weights = memory::desc(weight_dims, Type::f32, Tag::any);
        const auto chosen = weight_gradient(conv, d, g, hint, attr);
        take(chosen);
        plan->needs_clear_scratch = plan->implementation.compare(0, 8, "jit_bf16") == 0;
        plan->source = chosen.src_desc();
        plan->weights = chosen.diff_weights_desc();
        plan->destination = chosen.diff_dst_desc();
        plan->primitive = dnnl::convolution_backward_weights(chosen);
        plan->source_reorder.plan(users_source, plan->source);
        plan->weights_reorder.plan(plan->weights, users_weights);
        plan->destination_reorder.plan(users_destination, plan->destination);
    }

    plan->scratch_bytes = aligned(plan->scratch.get_size());
    const auto reserve = [&](Reorder &reorder, const memory::desc &kernels) {
        if (!reorder.needed) return;
        reorder.scratch_offset = plan->scratch_bytes;
        plan->scratch_bytes += aligned(kernels.get_size());
    };
    reserve(plan->source_reorder, plan->source);
    reserve(plan->destination_reorder, plan->destination);
    // Packed weights are the caller's to keep; their gradient is not.
    if (conv.direction == REELNET_WEIGHT_GRADIENT) reserve(plan->weights_reorder, plan->weights);
    return plan;
}

bool is_reference(const ReelnetPlan &plan) { return plan.implementation.compare(0, 3, "ref") == 0; }

// With few channels, channels-last activations leave oneDNN only its reference kernels, which are slower than copying the
// activations twice by a factor of hundreds.
std::unique_ptr<ReelnetPlan> choose(const ReelnetConv &conv) {
    constexpr Freedom freedoms[] = {{false, false}, {true, false}, {false, true}, {true, true}};
    std::unique_ptr<ReelnetPlan> slow;
    std::string why;
    for (const auto freedom : freedoms) {
        try {
            auto plan = build(conv, freedom);
            if (!is_reference(*plan)) return plan;
            if (!slow) slow = std::move(plan);
        } catch (const dnnl::error &error) {
            why = error.message;
        }
    }
    if (!slow) throw std::runtime_error("oneDNN has no kernel: " + why);
    return slow;
}

}  // namespace

extern "C" int reelnet_onednn_plan(const ReelnetConv *conv, ReelnetPlan **plan, ReelnetPlanInfo *info) {
    return guarded([&] {
        // A plan is for a number of threads: its kernel's work is divided when it is made.
        set_threads(conv->threads);
        auto chosen = choose(*conv);
        const bool packs = conv->direction != REELNET_WEIGHT_GRADIENT && chosen->weights_reorder.needed;
        info->scratch = chosen->scratch_bytes;
        info->packed = packs ? chosen->weights.get_size() : 0;
        info->reorders = uint64_t(chosen->source_reorder.needed) + uint64_t(chosen->destination_reorder.needed);
        std::strncpy(info->implementation, chosen->implementation.c_str(), sizeof info->implementation - 1);
        info->implementation[sizeof info->implementation - 1] = '\0';
        *plan = chosen.release();
    });
}

extern "C" int reelnet_onednn_pack(const ReelnetPlan *plan, const void *weights, void *packed) {
    return guarded([&] {
        set_threads(plan->threads);
        plan->weights_reorder.run(const_cast<void *>(weights), packed);
        stream().wait();
    });
}

extern "C" int reelnet_onednn_run(const ReelnetPlan *plan, void *source, void *weights, void *bias, void *destination,
                                  void *scratch) {
    return guarded([&] {
        set_threads(plan->threads);
        const bool forward = plan->direction == REELNET_FORWARD;
        const bool input_gradient = plan->direction == REELNET_INPUT_GRADIENT;
        const bool weight_gradient = plan->direction == REELNET_WEIGHT_GRADIENT;
        const auto place = [&](const Reorder &reorder, void *callers) {
            return reorder.needed ? static_cast<char *>(scratch) + reorder.scratch_offset : callers;
        };
        void *kernels_source = place(plan->source_reorder, source);
        void *kernels_destination = place(plan->destination_reorder, destination);
        void *kernels_weights = weight_gradient ? place(plan->weights_reorder, weights) : weights;

        if (!input_gradient && plan->source_reorder.needed) plan->source_reorder.run(source, kernels_source);
        if (!forward && plan->destination_reorder.needed) plan->destination_reorder.run(destination, kernels_destination);

        const auto argument = [](const memory::desc &desc, void *data) { return memory(desc, engine(), data); };
        std::unordered_map<int, memory> arguments = {
            {input_gradient ? DNNL_ARG_DIFF_SRC : DNNL_ARG_SRC, argument(plan->source, kernels_source)},
            {weight_gradient ? DNNL_ARG_DIFF_WEIGHTS : DNNL_ARG_WEIGHTS, argument(plan->weights, kernels_weights)},
            {forward ? DNNL_ARG_DST : DNNL_ARG_DIFF_DST, argument(plan->destination, kernels_destination)},
            {DNNL_ARG_SCRATCHPAD, argument(plan->scratch, scratch)},
        };
        if (plan->has_bias && !input_gradient)
            arguments.insert({weight_gradient ? DNNL_ARG_DIFF_BIAS : DNNL_ARG_BIAS, argument(plan->bias, bias)});
        if (plan->needs_clear_scratch) std::memset(scratch, 0, plan->scratch.get_size());
        plan->primitive.execute(stream(), arguments);

        if (forward && plan->destination_reorder.needed) plan->destination_reorder.run(kernels_destination, destination);
        if (input_gradient && plan->source_reorder.needed) plan->source_reorder.run(kernels_source, source);
        if (weight_gradient && plan->weights_reorder.needed) plan->weights_reorder.run(kernels_weights, weights);
        stream().wait();
    });
}

extern "C" void reelnet_onednn_free(ReelnetPlan *plan) { delete plan; }

extern "C" int reelnet_onednn_team(int64_t threads, void (*work)(void *), void *context) {
    // What compilers turn `#pragma omp parallel` into: libgomp's since version 4.0, LLVM's runtime has it too.
    using Parallel = void (*)(void (*)(void *), void *, unsigned, unsigned);
    static const auto parallel = reinterpret_cast<Parallel>(dlsym(RTLD_DEFAULT, "GOMP_parallel"));
    if (DNNL_CPU_THREADING_RUNTIME != DNNL_RUNTIME_OMP || !parallel) return 1;
    parallel(work, context, static_cast<unsigned>(threads), 0);
    return 0;
}

extern "C" void reelnet_onednn_library(ReelnetLibrary *library) {
    const auto *version = dnnl::version();
    library->major = version->major;
    library->minor = version->minor;
    library->patch = version->patch;
    library->instructions = static_cast<int64_t>(dnnl::get_effective_cpu_isa());
    library->openmp = DNNL_CPU_THREADING_RUNTIME == DNNL_RUNTIME_OMP && set_threads_of_openmp() != nullptr;
}

extern "C" const char *reelnet_onednn_error(void) { return last_error.c_str(); }
