// Convolutions on burn's tensors: plans over channels-last activations, forward and backward. Compiles against oneDNN 2.6 and 3.x.
#include <algorithm>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <unordered_map>

#include "convolution.h"

using namespace reelnet;

// The gradient of a `window x 1` kernel: for each place in the window, and each sample, `destination^T source` over the rows that the
// window sees there.
struct Products {
    int64_t batch, frames_in, frames_out, pixels, channels_in, channels_out, window, before;

    void run(const float *source, const float *destination, float *weights) const {
        for (int64_t place = 0; place < window; ++place) {
            float *product = weights + place * channels_out * channels_in;
            // The first sample's product is written, the others' are added.
            float beta = 0;
            const int64_t shift = place - before;
            const int64_t begin = std::max<int64_t>(0, -shift), end = std::min(frames_out, frames_in - shift);
            if (end <= begin) {
                // Padding is all that it sees.
                std::memset(product, 0, sizeof(float) * channels_out * channels_in);
                continue;
            }
            for (int64_t sample = 0; sample < batch; ++sample, beta = 1) {
                const float *slopes = destination + (sample * frames_out + begin) * pixels * channels_out;
                const float *features = source + (sample * frames_in + begin + shift) * pixels * channels_in;
                const auto status = dnnl_sgemm('T', 'N', channels_out, channels_in, (end - begin) * pixels, 1, slopes, channels_out,
                                               features, channels_in, beta, product, channels_in);
                if (status != dnnl_success) throw dnnl::error(status, "could not multiply matrices");
            }
        }
    }
};

struct ReelnetPlan {
    int64_t direction, threads;
    dnnl::primitive primitive;
    // As the kernel wants them.
    memory::desc source, weights, destination, bias, scratch;
    bool has_bias;
    Reorder source_reorder, weights_reorder, destination_reorder;
    std::string implementation;
    uint64_t scratch_bytes = 0;
    // Weight gradients as matrix products, one for each place in a window of frames; no kernel, then.
    std::unique_ptr<Products> products;
    // The kernel multiplies scratch memory that it never wrote by zero, which is zero only for numbers.
    bool needs_clear_scratch = false;
};

namespace {

constexpr auto direct = dnnl::algorithm::convolution_direct;

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
dnnl::convolution_backward_data::primitive_desc input_gradient(const Descriptors &d, const Geometry &g,
                                                               const dnnl::convolution_forward::primitive_desc &hint,
                                                               const dnnl::primitive_attr &attr) {
    return {engine(), direct, d.source, d.weights, d.destination, g.stride, g.dilation, g.before,
            g.after, hint, attr};
}
dnnl::convolution_backward_weights::primitive_desc weight_gradient(const ReelnetConv &conv, const Descriptors &d, const Geometry &g,
                                                                   const dnnl::convolution_forward::primitive_desc &hint,
                                                                   const dnnl::primitive_attr &attr) {
    using Chosen = dnnl::convolution_backward_weights::primitive_desc;
    auto chosen = conv.has_bias ? Chosen(engine(), direct, d.source, d.weights, d.bias, d.destination, g.stride, g.dilation, g.before,
                                         g.after, hint, attr)
                                : Chosen(engine(), direct, d.source, d.weights, d.destination, g.stride, g.dilation, g.before,
                                         g.after, hint, attr);
    step_past_wrong_kernels(conv, chosen);
    return chosen;
}
#else
dnnl::convolution_backward_data::primitive_desc input_gradient(const Descriptors &d, const Geometry &g,
                                                               const dnnl::convolution_forward::primitive_desc &hint,
                                                               const dnnl::primitive_attr &attr) {
    const dnnl::convolution_backward_data::desc desc(direct, d.source, d.weights, d.destination,
                                                     g.stride, g.dilation, g.before, g.after);
    return {desc, attr, engine(), hint};
}
dnnl::convolution_backward_weights::primitive_desc weight_gradient(const ReelnetConv &conv, const Descriptors &d, const Geometry &g,
                                                                   const dnnl::convolution_forward::primitive_desc &hint,
                                                                   const dnnl::primitive_attr &attr) {
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

// `floats`: bfloat16 is converted on the way, and the kernel computes with floats.
std::unique_ptr<ReelnetPlan> build(const ReelnetConv &conv, Freedom free, bool floats) {
    auto plan = std::make_unique<ReelnetPlan>();
    plan->direction = conv.direction;
    plan->threads = conv.threads;
    plan->has_bias = conv.has_bias != 0;

    const auto shapes = shapes_of(conv);
    const Type held = conv.half ? Type::bf16 : Type::f32, type = floats ? Type::f32 : held;
    const memory::desc users_source(shapes.source, held, shapes.last), users_destination(shapes.destination, held, shapes.last);
    const memory::desc users_weights(shapes.weights, Type::f32, shapes.plain_weights);
    plan->bias = memory::desc({conv.channels_out}, Type::f32, Tag::a);

    Descriptors d;
    d.source = memory::desc(shapes.source, type, free.source ? Tag::any : shapes.last);
    d.destination = memory::desc(shapes.destination, type, free.destination ? Tag::any : shapes.last);
    d.weights = memory::desc(shapes.weights, type, Tag::any);
    d.bias = plan->bias;
    const auto g = geometry_of(conv);
    dnnl::primitive_attr attr;
    attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);

    const auto take = [&](const auto &chosen) {
        plan->scratch = chosen.scratchpad_desc();
        plan->implementation = chosen.impl_info_str();
    };
    if (conv.direction == REELNET_FORWARD) {
        const auto chosen = forward(dnnl::prop_kind::forward_inference, direct, d, g, plan->has_bias, attr);
        take(chosen);
        plan->source = chosen.src_desc();
        plan->weights = chosen.weights_desc();
        plan->destination = chosen.dst_desc();
        plan->primitive = dnnl::convolution_forward(chosen);
        plan->source_reorder.plan(users_source, plan->source);
        plan->weights_reorder.plan(users_weights, plan->weights);
        plan->destination_reorder.plan(plan->destination, users_destination);
    } else if (conv.direction == REELNET_INPUT_GRADIENT) {
        const auto hint = forward(dnnl::prop_kind::forward_training, direct, d, g, false, dnnl::primitive_attr());
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
        const auto hint = forward(dnnl::prop_kind::forward_training, direct, d, g, plan->has_bias, dnnl::primitive_attr());
        // The gradient of bfloat16 products is summed, and kept, in 32 bits.
        d.weights = memory::desc(shapes.weights, Type::f32, Tag::any);
        ReelnetConv computed = conv;
        computed.half = type == Type::bf16;
        const auto chosen = weight_gradient(computed, d, g, hint, attr);
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

// Compiled weight gradients of `n x 1` kernels reach two fifths of what matrix products do (benches/README.md).
bool suits_products(const ReelnetConv &conv) {
    return conv.direction == REELNET_WEIGHT_GRADIENT && !conv.half && !conv.has_bias && conv.axes == 2 && conv.groups == 1 &&
           conv.kernel[1] > 1 && conv.kernel[2] == 1 && conv.stride[1] == 1 && conv.stride[2] == 1 && conv.dilation[1] == 1 &&
           conv.before[2] == 0 && conv.after[2] == 0;
}

std::unique_ptr<ReelnetPlan> build_products(const ReelnetConv &conv) {
    auto plan = std::make_unique<ReelnetPlan>();
    plan->direction = conv.direction;
    plan->threads = conv.threads;
    plan->has_bias = false;
    plan->products = std::make_unique<Products>(Products{conv.batch, conv.size[1], conv.output[1], conv.size[2], conv.channels_in,
                                                         conv.channels_out, conv.kernel[1], conv.before[1]});
    const auto shapes = shapes_of(conv);
    const int64_t in = conv.channels_in, all = conv.channels_out * in;
    plan->weights = memory::desc(shapes.weights, Type::f32, memory::dims{in, 1, all, all});
    plan->weights_reorder.plan(plan->weights, memory::desc(shapes.weights, Type::f32, shapes.plain_weights));
    plan->scratch_bytes = aligned(plan->weights.get_size());
    plan->implementation = "sgemm";
    return plan;
}

// A matrix product of bfloat16 is slower than a compiled kernel of floats with a copy before and behind it.
bool is_slow(const ReelnetConv &conv, const std::string &implementation) {
    return is_reference(implementation) || (conv.half && implementation.find("gemm:") != std::string::npos);
}

std::unique_ptr<ReelnetPlan> choose(const ReelnetConv &conv) {
    if (suits_products(conv)) return build_products(conv);
    std::unique_ptr<ReelnetPlan> slow;
    std::string why;
    for (const bool floats : {false, true}) {
        if (floats && !conv.half) break;
        for (const auto freedom : freedoms) {
            try {
                auto plan = build(conv, freedom, floats);
                if (!is_slow(conv, plan->implementation)) return plan;
                if (!slow) slow = std::move(plan);
            } catch (const std::exception &error) {
                why = error.what();
            }
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
        info->is_reference = is_reference(chosen->implementation);
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
        if (plan->products) {
            // One channel on both sides lies in either order alike.
            const bool reorders = plan->weights_reorder.needed;
            auto *products = static_cast<float *>(reorders ? scratch : weights);
            plan->products->run(static_cast<const float *>(source), static_cast<const float *>(destination), products);
            if (reorders) plan->weights_reorder.run(products, weights);
            stream().wait();
            return;
        }
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
