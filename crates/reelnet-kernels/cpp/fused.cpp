// Convolutions of inference with what follows them, and pooling: plans that own their arguments, so that a run allocates nothing of
// its own.
#include <cstring>
#include <memory>
#include <stdexcept>
#include <vector>

#include "convolution.h"

using namespace reelnet;

struct ReelnetFusedPlan {
    int64_t threads = 1;
    dnnl::primitive primitive;
    std::string implementation;
    // Their addresses are set anew at each run. Those that the primitive does not have are empty.
    memory source, weights, bias, gate, scales, destination, scratch;
    std::vector<float> scale_values;
    Reorder source_reorder, weights_reorder, destination_reorder;
    uint64_t scratch_bytes = 0;
    std::vector<dnnl_exec_arg_t> arguments;
};

namespace {

Type type_of(int64_t number) {
    switch (number) {
        case REELNET_F32: return Type::f32;
        case REELNET_BF16: return Type::bf16;
        case REELNET_U8: return Type::u8;
        case REELNET_S8: return Type::s8;
        default: throw std::runtime_error("no such number type");
    }
}

bool is_8_bit(int64_t number) { return number == REELNET_U8 || number == REELNET_S8; }

memory unbound(const memory::desc &desc) { return memory(desc, engine(), DNNL_MEMORY_NONE); }

void append_eltwise(dnnl::post_ops &ops, dnnl::algorithm algorithm, float alpha, float beta) {
#if DNNL_VERSION_MAJOR >= 3
    ops.append_eltwise(algorithm, alpha, beta);
#else
    ops.append_eltwise(1.0f, algorithm, alpha, beta);
#endif
}

void append_activation(dnnl::post_ops &ops, int64_t activation) {
    switch (activation) {
        case REELNET_RELU: return append_eltwise(ops, dnnl::algorithm::eltwise_relu, 0.0f, 0.0f);
        case REELNET_RELU6: return append_eltwise(ops, dnnl::algorithm::eltwise_clip, 0.0f, 6.0f);
        case REELNET_SWISH: return append_eltwise(ops, dnnl::algorithm::eltwise_swish, 1.0f, 0.0f);
        case REELNET_SIGMOID: return append_eltwise(ops, dnnl::algorithm::eltwise_logistic, 0.0f, 0.0f);
        default: return;
    }
}

// Everything after the sum of products, in units of real numbers until the last.
dnnl::primitive_attr attributes(const ReelnetFused &fused, const memory::desc &gate) {
    dnnl::primitive_attr attr;
    attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    dnnl::post_ops ops;
    if (fused.is_gated) ops.append_binary(dnnl::algorithm::binary_mul, gate);
    if (fused.accumulates) {
        // The type is said only where it is another one than the destination's.
        if (fused.residual == fused.destination) ops.append_sum(fused.residual_scale);
        else ops.append_sum(fused.residual_scale, 0, type_of(fused.residual));
    }
    append_activation(ops, fused.activation);
    if (is_8_bit(fused.destination)) append_eltwise(ops, dnnl::algorithm::eltwise_linear, 1.0f / fused.destination_scale, 0.0f);
    attr.set_post_ops(ops);
    return attr;
}

#if DNNL_VERSION_MAJOR >= 3
void set_scales(dnnl::primitive_attr &attr, const ReelnetConv &conv, const std::vector<float> &) {
    attr.set_scales_mask(DNNL_ARG_WEIGHTS, conv.groups > 1 ? 3 : 1);
}
#else
void set_scales(dnnl::primitive_attr &attr, const ReelnetConv &, const std::vector<float> &scales) { attr.set_output_scales(2, scales); }
#endif

std::unique_ptr<ReelnetFusedPlan> build(const ReelnetFused &fused, const float *scales, Freedom free, bool winograd) {
    auto plan = std::make_unique<ReelnetFusedPlan>();
    const auto &conv = fused.conv;
    plan->threads = conv.threads;
    const auto shapes = shapes_of(conv);
    const Type source = type_of(fused.source), destination = type_of(fused.destination);
    const bool bytes = is_8_bit(fused.source);
    const Type weights = bytes ? Type::s8 : source;
    const memory::desc users_source(shapes.source, source, shapes.last);
    const memory::desc users_destination(shapes.destination, destination, shapes.last);
    const memory::desc users_weights(shapes.weights, bytes ? Type::s8 : Type::f32, shapes.plain_weights);
    memory::dims gate_dims(shapes.destination.size(), 1);
    gate_dims[1] = conv.channels_out;
    const memory::desc gate(gate_dims, Type::f32, shapes.last);

    Descriptors d;
    d.source = memory::desc(shapes.source, source, free.source ? Tag::any : shapes.last);
    d.destination = memory::desc(shapes.destination, destination, free.destination ? Tag::any : shapes.last);
    d.weights = memory::desc(shapes.weights, weights, Tag::any);
    d.bias = memory::desc({conv.channels_out}, Type::f32, Tag::a);
    auto attr = attributes(fused, gate);
    if (bytes) {
        plan->scale_values.assign(scales, scales + conv.channels_out);
        set_scales(attr, conv, plan->scale_values);
    }
    const auto algorithm = winograd ? dnnl::algorithm::convolution_winograd : dnnl::algorithm::convolution_direct;
    const Wanted wanted = [&](const std::string &name) {
        // The kernel of smaller tiles is slower, and chosen for some numbers of threads only: their results would differ.
        if (winograd) return name.find("wino_4x3") != std::string::npos;
        // Found by random problems (docs/decisions/0027-engine.md): matrix products of oneDNN 2.6 take other channels' gates, over three
        // axes and in groups.
        return !(fused.is_gated && name.find("gemm") != std::string::npos);
    };
    const auto chosen =
        forward(dnnl::prop_kind::forward_inference, algorithm, d, geometry_of(conv), conv.has_bias != 0, attr, wanted);
    plan->implementation = chosen.impl_info_str();
    plan->primitive = dnnl::convolution_forward(chosen);
    plan->source_reorder.plan(users_source, chosen.src_desc());
    plan->weights_reorder.plan(users_weights, chosen.weights_desc());
    plan->destination_reorder.plan(chosen.dst_desc(), users_destination);
    // What is in the destination would have to be laid out anew as well.
    if (fused.accumulates && plan->destination_reorder.needed) throw std::runtime_error("no sum in another layout");

    plan->source = unbound(chosen.src_desc());
    plan->weights = unbound(chosen.weights_desc());
    plan->destination = unbound(chosen.dst_desc());
    plan->scratch = unbound(chosen.scratchpad_desc());
    plan->arguments = {{DNNL_ARG_SRC, plan->source.get()},
                       {DNNL_ARG_WEIGHTS, plan->weights.get()},
                       {DNNL_ARG_DST, plan->destination.get()},
                       {DNNL_ARG_SCRATCHPAD, plan->scratch.get()}};
    if (conv.has_bias) {
        plan->bias = unbound(d.bias);
        plan->arguments.push_back({DNNL_ARG_BIAS, plan->bias.get()});
    }
    if (fused.is_gated) {
        plan->gate = unbound(gate);
        plan->arguments.push_back({DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1, plan->gate.get()});
    }
#if DNNL_VERSION_MAJOR >= 3
    if (bytes) {
        plan->scales = memory({{conv.channels_out}, Type::f32, Tag::a}, engine(), plan->scale_values.data());
        plan->arguments.push_back({DNNL_ARG_ATTR_SCALES | DNNL_ARG_WEIGHTS, plan->scales.get()});
    }
#endif
    plan->scratch_bytes = aligned(chosen.scratchpad_desc().get_size());
    const auto reserve = [&](Reorder &reorder, const memory::desc &kernels) {
        if (!reorder.needed) return;
        reorder.scratch_offset = plan->scratch_bytes;
        plan->scratch_bytes += aligned(kernels.get_size());
    };
    reserve(plan->source_reorder, chosen.src_desc());
    reserve(plan->destination_reorder, chosen.dst_desc());
    return plan;
}

// Winograd's kernel if it is wanted and there is one, else the first compiled one.
std::unique_ptr<ReelnetFusedPlan> choose(const ReelnetFused &fused, const float *scales) {
    std::string why;
    if (fused.winograd) {
        try {
            return build(fused, scales, {true, true}, true);
        } catch (const std::exception &) {
            // Other processors and versions have none.
        }
    }
    std::unique_ptr<ReelnetFusedPlan> slow;
    for (const auto freedom : freedoms) {
        try {
            auto plan = build(fused, scales, freedom, false);
            if (!is_reference(plan->implementation)) return plan;
            if (!slow) slow = std::move(plan);
        } catch (const std::exception &error) {
            why = error.what();
        }
    }
    if (!slow) throw std::runtime_error("oneDNN has no kernel: " + why);
    return slow;
}

std::unique_ptr<ReelnetFusedPlan> build(const ReelnetPool &pool) {
    auto plan = std::make_unique<ReelnetFusedPlan>();
    plan->threads = pool.threads;
    const auto triple = [](const int64_t values[3]) { return memory::dims(values, values + 3); };
    const auto dims = [&](const int64_t size[3]) { return memory::dims{pool.batch, pool.channels, size[0], size[1], size[2]}; };
    const memory::desc source(dims(pool.size), type_of(pool.number), Tag::ndhwc);
    const memory::desc destination(dims(pool.output), type_of(pool.number), Tag::ndhwc);
    const auto algorithm = pool.is_average ? dnnl::algorithm::pooling_avg_exclude_padding : dnnl::algorithm::pooling_max;
    const auto kind = dnnl::prop_kind::forward_inference;
    dnnl::primitive_attr attr;
    attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
#if DNNL_VERSION_MAJOR >= 3
    const dnnl::pooling_forward::primitive_desc chosen(engine(), kind, algorithm, source, destination, triple(pool.stride),
                                                       triple(pool.kernel), {0, 0, 0}, triple(pool.before), triple(pool.after), attr);
#else
    const dnnl::pooling_forward::primitive_desc chosen({kind, algorithm, source, destination, triple(pool.stride),
                                                        triple(pool.kernel), triple(pool.before), triple(pool.after)},
                                                       attr, engine());
#endif
    plan->implementation = chosen.impl_info_str();
    plan->primitive = dnnl::pooling_forward(chosen);
    plan->source = unbound(source);
    plan->destination = unbound(destination);
    plan->scratch = unbound(chosen.scratchpad_desc());
    plan->scratch_bytes = aligned(chosen.scratchpad_desc().get_size());
    plan->arguments = {{DNNL_ARG_SRC, plan->source.get()},
                       {DNNL_ARG_DST, plan->destination.get()},
                       {DNNL_ARG_SCRATCHPAD, plan->scratch.get()}};
    return plan;
}

void describe(const ReelnetFusedPlan &plan, ReelnetPlanInfo *info) {
    info->scratch = plan.scratch_bytes;
    info->packed = plan.weights ? plan.weights.get_desc().get_size() : 0;
    info->reorders = uint64_t(plan.source_reorder.needed) + uint64_t(plan.destination_reorder.needed);
    info->is_reference = is_reference(plan.implementation);
    const auto length = plan.implementation.copy(info->implementation, sizeof info->implementation - 1);
    info->implementation[length] = '\0';
}

}  // namespace

extern "C" int reelnet_fused_plan(const ReelnetFused *fused, const float *scales, ReelnetFusedPlan **plan, ReelnetPlanInfo *info) {
    return guarded([&] {
        set_threads(fused->conv.threads);
        auto chosen = choose(*fused, scales);
        describe(*chosen, info);
        *plan = chosen.release();
    });
}

extern "C" int reelnet_pool_plan(const ReelnetPool *pool, ReelnetFusedPlan **plan, ReelnetPlanInfo *info) {
    return guarded([&] {
        set_threads(pool->threads);
        auto chosen = build(*pool);
        describe(*chosen, info);
        *plan = chosen.release();
    });
}

extern "C" int reelnet_fused_pack(const ReelnetFusedPlan *plan, const void *weights, void *packed) {
    return guarded([&] {
        set_threads(plan->threads);
        if (plan->weights_reorder.needed) {
            plan->weights_reorder.run(const_cast<void *>(weights), packed);
            stream().wait();
        } else {
            std::memcpy(packed, weights, plan->weights.get_desc().get_size());
        }
    });
}

extern "C" int reelnet_fused_run(ReelnetFusedPlan *plan, const void *source, const void *weights, const void *bias, const void *gate,
                                 void *destination, void *scratch) {
    return guarded([&] {
        set_threads(plan->threads);
        const auto place = [&](const Reorder &reorder, void *callers) {
            return reorder.needed ? static_cast<char *>(scratch) + reorder.scratch_offset : callers;
        };
        const auto set = [](memory &argument, const void *data) {
            if (argument) argument.set_data_handle(const_cast<void *>(data));
        };
        void *const callers_source = const_cast<void *>(source);
        void *const kernels_source = place(plan->source_reorder, callers_source);
        void *const kernels_destination = place(plan->destination_reorder, destination);
        if (plan->source_reorder.needed) plan->source_reorder.run(callers_source, kernels_source);
        set(plan->source, kernels_source);
        set(plan->weights, weights);
        set(plan->bias, bias);
        set(plan->gate, gate);
        set(plan->destination, kernels_destination);
        set(plan->scratch, scratch);
        dnnl::error::wrap_c_api(dnnl_primitive_execute(plan->primitive.get(), stream().get(),
                                                       static_cast<int>(plan->arguments.size()), plan->arguments.data()),
                                "could not run");
        if (plan->destination_reorder.needed) plan->destination_reorder.run(kernels_destination, destination);
        stream().wait();
    });
}

extern "C" int reelnet_fused_same_weights(const ReelnetFusedPlan *a, const ReelnetFusedPlan *b) {
    return a->weights.get_desc() == b->weights.get_desc();
}

extern "C" int reelnet_fused_repack(const ReelnetFusedPlan *from, const void *packed, const ReelnetFusedPlan *to, void *repacked) {
    return guarded([&] {
        set_threads(to->threads);
        Reorder reorder;
        reorder.plan(from->weights.get_desc(), to->weights.get_desc());
        reorder.run(const_cast<void *>(packed), repacked);
        stream().wait();
    });
}

extern "C" void reelnet_fused_free(ReelnetFusedPlan *plan) { delete plan; }
