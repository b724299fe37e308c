//! Fresh weights: drawn parameter by parameter, each from its own stream of one seed, and only when they are first read.

use burn::module::{Param, ParamId};
use burn::tensor::{Device, Tensor, TensorData};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Normal, Uniform};

/// The distribution that a parameter is drawn from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Init {
    /// One value everywhere.
    Constant(f32),
    /// TensorFlow's `variance_scaling`, scale 1: a normal cut off at two deviations with variance `1 / fan`.
    VarianceScaling { fan: usize },
    /// A normal with this deviation, cut off at two deviations.
    TruncatedNormal { deviation: f64 },
    /// A normal with this deviation.
    Normal { deviation: f64 },
    /// Uniform in `[-bound, bound)`.
    Uniform { bound: f64 },
}

/// Hands out parameters to the layers of a network under construction.
pub(crate) struct Builder<'a> {
    device: &'a Device,
    seed: u64,
    stream: u64,
}

impl<'a> Builder<'a> {
    pub(crate) fn new(device: &'a Device, seed: u64) -> Self {
        Self { device, seed, stream: 0 }
    }

    pub(crate) fn device(&self) -> &Device {
        self.device
    }

    /// A trainable parameter, drawn when it is first read: counting a network's parameters allocates nothing.
    pub(crate) fn parameter<const D: usize>(&mut self, shape: [usize; D], init: Init) -> Param<Tensor<D>> {
        let (seed, stream) = (self.seed, self.stream);
        self.stream += 1;
        Param::uninitialized(
            ParamId::new(),
            move |device, require_grad| {
                let values = init.draw(shape.iter().product(), seed, stream);
                Tensor::from_data(TensorData::new(values, shape), device).set_require_grad(require_grad)
            },
            self.device.clone(),
            true,
            shape.into(),
        )
    }
}

impl Init {
    #[expect(clippy::cast_possible_truncation, reason = "weights are 32-bit floats; they are drawn in 64")]
    fn draw(self, count: usize, seed: u64, stream: u64) -> Vec<f32> {
        // ChaCha's output for a seed and a stream is part of its contract, so a seed means the same weights everywhere.
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        match self {
            Self::Constant(value) => vec![value; count],
            // The deviation of a unit normal cut off at two is 0.87962566.
            Self::VarianceScaling { fan } => {
                truncated_normal(&mut rng, count, (1.0 / fan as f64).sqrt() / 0.879_625_661_034_239_8)
            }
            Self::TruncatedNormal { deviation } => truncated_normal(&mut rng, count, deviation),
            Self::Normal { deviation } => {
                let normal = Normal::new(0.0, deviation).expect("a deviation is finite");
                (0..count).map(|_| normal.sample(&mut rng) as f32).collect()
            }
            Self::Uniform { bound } => {
                let uniform = Uniform::new(-bound, bound).expect("a bound is positive");
                (0..count).map(|_| uniform.sample(&mut rng) as f32).collect()
            }
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "weights are 32-bit floats; they are drawn in 64")]
fn truncated_normal(rng: &mut impl Rng, count: usize, deviation: f64) -> Vec<f32> {
    let normal = Normal::new(0.0, 1.0).expect("the unit normal");
    let within_two = |rng: &mut _| {
        loop {
            let value: f64 = normal.sample(rng);
            if value.abs() <= 2.0 {
                return value;
            }
        }
    };
    (0..count).map(|_| (within_two(rng) * deviation) as f32).collect()
}
