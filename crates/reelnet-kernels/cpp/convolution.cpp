#include "convolution.h"

#include <stdexcept>
#include <string>

namespace reelnet {

namespace {

memory::dims dims_of(const ReelnetConv &conv, const int64_t values[3], int64_t minus = 0) {
    memory::dims dims;
    for (int64_t axis = 3 - conv.axes; axis < 3; ++axis) dims.push_back(values[axis] - minus);
    return dims;
}

memory::dims with(memory::dims head, const memory::dims &tail) {
    head.insert(head.end(), tail.begin(), tail.end());
    return head;
}

}  // namespace

Geometry geometry_of(const ReelnetConv &conv) {
    return {dims_of(conv, conv.stride), dims_of(conv, conv.dilation, 1), dims_of(conv, conv.before), dims_of(conv, conv.after)};
}

Shapes shapes_of(const ReelnetConv &conv) {
    const bool planar = conv.axes == 2;
    Shapes shapes;
    shapes.last = planar ? Tag::nhwc : Tag::ndhwc;
    shapes.source = with({conv.batch, conv.channels_in}, dims_of(conv, conv.size));
    shapes.destination = with({conv.batch, conv.channels_out}, dims_of(conv, conv.output));
    memory::dims head = {conv.channels_out / conv.groups, conv.channels_in / conv.groups};
    shapes.plain_weights = planar ? Tag::oihw : Tag::oidhw;
    if (conv.groups > 1) {
        head.insert(head.begin(), conv.groups);
        shapes.plain_weights = planar ? Tag::goihw : Tag::goidhw;
    }
    shapes.weights = with(head, dims_of(conv, conv.kernel));
    return shapes;
}

namespace {

// Of oneDNN 2.6: now and then, for as long as a process lives, `brgconv` computes something else where windows reach into padding
// (docs/decisions/0027-engine.md).
bool may_be_wrong([[maybe_unused]] const std::string &name) {
#if DNNL_VERSION_MAJOR >= 3
    return false;
#else
    return name.compare(0, 8, "brgconv:") == 0;
#endif
}

void step_to(dnnl::convolution_forward::primitive_desc &chosen, const Wanted &wanted) {
    for (auto name = chosen.impl_info_str(); may_be_wrong(name) || !wanted(name); name = chosen.impl_info_str())
        if (!chosen.next_impl()) throw std::runtime_error("none of the kernels is one that is wanted");
}

}  // namespace

#if DNNL_VERSION_MAJOR >= 3
dnnl::convolution_forward::primitive_desc forward(dnnl::prop_kind kind, dnnl::algorithm algorithm, const Descriptors &d,
                                                  const Geometry &g, bool bias, const dnnl::primitive_attr &attr,
                                                  const Wanted &wanted) {
    using Chosen = dnnl::convolution_forward::primitive_desc;
    auto chosen = bias ? Chosen(engine(), kind, algorithm, d.source, d.weights, d.bias, d.destination, g.stride, g.dilation, g.before,
                                g.after, attr)
                       : Chosen(engine(), kind, algorithm, d.source, d.weights, d.destination, g.stride, g.dilation, g.before,
                                g.after, attr);
    step_to(chosen, wanted);
    return chosen;
}
#else
dnnl::convolution_forward::primitive_desc forward(dnnl::prop_kind kind, dnnl::algorithm algorithm, const Descriptors &d,
                                                  const Geometry &g, bool bias, const dnnl::primitive_attr &attr,
                                                  const Wanted &wanted) {
    using Desc = dnnl::convolution_forward::desc;
    const auto desc = bias ? Desc(kind, algorithm, d.source, d.weights, d.bias, d.destination, g.stride, g.dilation, g.before, g.after)
                           : Desc(kind, algorithm, d.source, d.weights, d.destination, g.stride, g.dilation, g.before, g.after);
    dnnl::convolution_forward::primitive_desc chosen(desc, attr, engine());
    // Here, where `desc` lives: the iterator behind `chosen` only points to it.
    step_to(chosen, wanted);
    return chosen;
}
#endif

}  // namespace reelnet
