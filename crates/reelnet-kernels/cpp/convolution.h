// A convolution as oneDNN wants it described, in the words of both of its interfaces.
#pragma once

#include <functional>

#include "onednn.h"
#include "runtime.h"

namespace reelnet {

struct Descriptors {
    memory::desc source, weights, bias, destination;
};

struct Geometry {
    memory::dims stride, dilation, before, after;
};

// Sizes of a convolution's tensors, and what its channels-last activations and plain weights are called.
struct Shapes {
    memory::dims source, weights, destination;
    Tag last, plain_weights;
};

Geometry geometry_of(const ReelnetConv &conv);
Shapes shapes_of(const ReelnetConv &conv);

// Says by the name of a kernel whether it may be taken.
using Wanted = std::function<bool(const std::string &)>;

inline bool any_kernel(const std::string &) { return true; }

// The first kernel that is wanted; throws where there is none.
dnnl::convolution_forward::primitive_desc forward(dnnl::prop_kind kind, dnnl::algorithm algorithm, const Descriptors &d,
                                                  const Geometry &g, bool bias, const dnnl::primitive_attr &attr,
                                                  const Wanted &wanted = any_kernel);

// Which activations a plan may lay out as it likes; the others stay channels-last.
struct Freedom {
    bool source, destination;
};
// With few channels, channels-last activations leave oneDNN only its reference kernels, which are slower than copying the
// activations twice by a factor of hundreds: these are tried in order until one has a compiled kernel.
constexpr Freedom freedoms[] = {{false, false}, {true, false}, {false, true}, {true, true}};

inline bool is_reference(const std::string &implementation) { return implementation.compare(0, 3, "ref") == 0; }

}  // namespace reelnet
