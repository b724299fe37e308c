//! Fused convolutions and pooling against their definitions in 64 bits, in every kind of number.

#[path = "../conv/reference.rs"]
mod reference;

use proptest::prelude::*;
use reelnet_kernels::fused::{
    After, Arena, FusedConv, FusedConvSpec, FusedPool, FusedPoolSpec, Number, Quantised, Residual, Weights,
};
use reelnet_kernels::{Window, cpu};

use crate::reference::Problem;

/// Values from a seed that every kind of float holds exactly: eighths between -2 and 2.
fn values(count: usize, seed: u64) -> Vec<f64> {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    (0..count)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            f64::from(u32::try_from(state >> 59).expect("five bits")) / 8.0 - 2.0
        })
        .collect()
}

#[expect(clippy::cast_possible_truncation, reason = "these values are exact in 32 bits")]
fn narrow(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&value| value as f32).collect()
}

/// Values as bytes of a kind of number, in units of `scale`.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "these values fit")]
fn bytes_of(values: &[f64], number: Number, scale: f64) -> Vec<u8> {
    let of_one = |&value: &f64| -> Vec<u8> {
        match number {
            Number::F32 => (value as f32).to_le_bytes().to_vec(),
            Number::Bf16 => ((value as f32).to_bits() >> 16).to_le_bytes()[..2].to_vec(),
            Number::U8 => vec![(value / scale).round() as u8],
            Number::S8 => ((value / scale).round() as i8).to_le_bytes().to_vec(),
        }
    };
    values.iter().flat_map(of_one).collect()
}

fn values_of(bytes: &[u8], number: Number, scale: f64) -> Vec<f64> {
    let of_one = |bytes: &[u8]| match number {
        Number::F32 => f64::from(f32::from_le_bytes(bytes.try_into().expect("four"))),
        Number::Bf16 => f64::from(f32::from_bits(u32::from(u16::from_le_bytes(bytes.try_into().expect("two"))) << 16)),
        Number::U8 => f64::from(bytes[0]) * scale,
        Number::S8 => f64::from(bytes[0].cast_signed()) * scale,
    };
    bytes.chunks_exact(number.size()).map(of_one).collect()
}

/// Memory on a cache line with these bytes in front.
fn memory(bytes: &[u8]) -> Arena {
    let mut arena = Arena::new(bytes.len().max(1));
    arena.bytes_mut()[..bytes.len()].copy_from_slice(bytes);
    arena
}

fn after(after: After, value: f64) -> f64 {
    match after {
        After::Nothing => value,
        After::Relu => value.max(0.0),
        After::Relu6 => value.clamp(0.0, 6.0),
        After::Swish => value / (1.0 + (-value).exp()),
        After::Sigmoid => 1.0 / (1.0 + (-value).exp()),
    }
}

/// A fused convolution drawn at random.
#[derive(Clone, Debug)]
struct Case {
    features: [usize; 5],
    channels_out: usize,
    groups: usize,
    window: Window,
    source: Number,
    destination: Number,
    is_gated: bool,
    residual: Option<Number>,
    after: After,
    winograd: bool,
    threads: usize,
    seed: u64,
}

/// What a byte is worth where values are eighths from -2 to 2: source and weights lose nothing.
const SOURCE_SCALE: f64 = 0.125;
const DESTINATION_SCALE: f64 = 0.5;
const RESIDUAL_SCALE: f64 = 0.25;

fn scale(number: Number, of_bytes: f64) -> f64 {
    if number.is_8_bit() { of_bytes } else { 1.0 }
}

impl Case {
    fn problem(&self) -> Problem {
        Problem { features: self.features, channels_out: self.channels_out, groups: self.groups, window: self.window }
    }

    #[expect(clippy::cast_possible_truncation, reason = "scales are powers of two")]
    fn spec(&self) -> FusedConvSpec {
        FusedConvSpec {
            features: self.features,
            channels_out: self.channels_out,
            window: self.window,
            groups: self.groups,
            source: self.source,
            destination: self.destination,
            destination_scale: scale(self.destination, DESTINATION_SCALE) as f32,
            is_gated: self.is_gated,
            residual: self.residual.map(|number| Residual { number, scale: scale(number, RESIDUAL_SCALE) as f32 }),
            after: self.after,
            winograd: self.winograd,
            threads: self.threads,
        }
    }

    /// Runs it and holds every value against the definition.
    #[expect(clippy::cast_possible_truncation, reason = "small whole numbers")]
    fn holds(&self) -> Result<(), TestCaseError> {
        let problem = self.problem();
        let count = |dims: [usize; 5]| dims.iter().product::<usize>();
        let output_count = count(problem.output());
        let mut source = values(count(self.features), self.seed);
        if self.source == Number::U8 {
            for value in &mut source {
                *value = value.abs();
            }
        }
        let weight = values(count(problem.weight()), self.seed + 1);
        let bias = values(self.channels_out, self.seed + 2);
        let gate = values(self.channels_out, self.seed + 3);
        let mut residual = values(output_count, self.seed + 4);
        if self.residual == Some(Number::U8) {
            for value in &mut residual {
                *value = value.abs();
            }
        }
        // What is a multiple of a quarter is exact in bytes too.
        for value in &mut residual {
            *value = (*value * 4.0).round() / 4.0;
        }
        let sums = problem.solve(&source, &weight, Some(&bias), &vec![0.0; output_count]).output;

        // ---- Ours ----
        let spec = self.spec();
        let quantised = Quantised {
            bytes: weight.iter().map(|value| (value / SOURCE_SCALE) as i8).collect(),
            scales: vec![(SOURCE_SCALE * SOURCE_SCALE) as f32; self.channels_out],
        };
        let floats = narrow(&weight);
        let weights = if self.source.is_8_bit() { Weights::Quantised(&quantised) } else { Weights::Floats(&floats) };
        let mut conv = FusedConv::new(spec.clone(), weights, &narrow(&bias))
            .map_err(|error| TestCaseError::fail(format!("{error}: {self:?}")))?;
        let source = memory(&bytes_of(&source, self.source, SOURCE_SCALE));
        let held = self.residual.map_or_else(
            || vec![0xff; output_count * self.destination.size()],
            |number| bytes_of(&residual, number, RESIDUAL_SCALE),
        );
        let mut destination = memory(&held);
        let gates = narrow(&gate);
        let mut scratch = Arena::new(conv.scratch_bytes());
        // Whatever stands in scratch memory changes nothing.
        scratch.bytes_mut().fill(0xff);
        let output_bytes = spec.destination_bytes();
        conv.run(
            &source.bytes()[..spec.source_bytes()],
            self.is_gated.then_some(&gates[..]),
            &mut destination.bytes_mut()[..output_bytes],
            scratch.bytes_mut(),
        );
        prop_assert!(destination.bytes()[output_bytes..].iter().all(|byte| *byte == 0), "it wrote behind its end");
        let found = values_of(&destination.bytes()[..output_bytes], self.destination, DESTINATION_SCALE);

        // ---- The definition ----
        // Winograd adds what it subtracts again.
        let rounding = if conv.implementation().contains("wino") { 3e-5 } else { 1e-6 };
        for (index, found) in found.into_iter().enumerate() {
            let channel = index % self.channels_out;
            let (mut value, mut magnitude) = (sums[index].value, sums[index].magnitude);
            if self.is_gated {
                (value, magnitude) = (value * gate[channel], magnitude * gate[channel].abs());
            }
            if self.residual.is_some() {
                (value, magnitude) = (value + residual[index], magnitude + residual[index].abs());
            }
            let exact = after(self.after, value);
            let (expected, step) = match self.destination {
                Number::F32 => (exact, 2e-6),
                Number::Bf16 => (exact, exact.abs() / 200.0 + 2e-6),
                number => {
                    let (low, high) = if number == Number::U8 { (0.0, 255.0) } else { (-128.0, 127.0) };
                    ((exact / DESTINATION_SCALE).clamp(low, high) * DESTINATION_SCALE, DESTINATION_SCALE * 0.501)
                }
            };
            let allowed = rounding * magnitude + step;
            prop_assert!(
                (found - expected).abs() <= allowed,
                "{index} is {found}, expected {expected} (within {allowed:.1e}), by {}: {self:?}",
                conv.implementation()
            );
        }
        Ok(())
    }
}

/// Kernels that are there: bfloat16 needs wide vectors, and bytes instructions that sum them.
fn has(number: Number) -> bool {
    let needed = match number {
        Number::F32 => "",
        Number::Bf16 => "AVX-512",
        Number::U8 | Number::S8 => "AVX-512 with",
    };
    cpu::onednn().is_some_and(|library| library.instructions.starts_with(needed))
}

prop_compose! {
    fn window()(
        kernel in prop::sample::select(vec![[1, 1, 1], [1, 3, 3], [3, 1, 1], [1, 5, 5], [3, 3, 3], [5, 3, 3], [1, 2, 3]]),
        stride in prop::sample::select(vec![[1, 1, 1], [1, 2, 2], [2, 2, 2], [2, 1, 1]]),
        before in prop::array::uniform3(0..3_usize),
        after in prop::array::uniform3(0..3_usize),
    ) -> Window {
        let padding = std::array::from_fn(|axis| (before[axis].min(kernel[axis] / 2), after[axis].min(kernel[axis] / 2)));
        Window { kernel, stride, padding, dilation: [1; 3] }
    }
}

prop_compose! {
    fn case(numbers: &'static [(Number, Number)])(
        (source, destination) in prop::sample::select(numbers),
        window in window(),
        size in (1..4_usize, 5..8_usize, 5..11_usize),
        batch in 1..3_usize,
        channels in prop::sample::select(vec![(3, 16, 1), (16, 16, 1), (16, 64, 1), (24, 40, 1), (32, 32, 32), (7, 5, 1), (64, 16, 1), (16, 32, 2)]),
        is_gated in any::<bool>(),
        has_residual in any::<bool>(),
        after in prop::sample::select(vec![After::Nothing, After::Relu, After::Relu6, After::Swish, After::Sigmoid]),
        threads in 1..3_usize,
        seed in any::<u32>(),
    ) -> Case {
        let (channels_in, channels_out, groups) = channels;
        let frames = size.0.max(window.kernel[0]);
        let residual = has_residual.then_some(match destination {
            // A block's first shortcut is a linear map, and negative.
            Number::U8 if seed % 2 == 0 => Number::S8,
            number => number,
        });
        Case {
            features: [batch, frames, size.1, size.2, channels_in],
            channels_out, groups, window, source, destination, is_gated, residual, after,
            winograd: false, threads, seed: u64::from(seed),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn floats(case in case(&[(Number::F32, Number::F32)])) {
        if has(Number::F32) {
            case.holds()?;
        }
    }

    #[test]
    fn halves(case in case(&[(Number::Bf16, Number::Bf16), (Number::Bf16, Number::F32)])) {
        if has(Number::Bf16) {
            case.holds()?;
        }
    }

    #[test]
    fn bytes(case in case(&[(Number::U8, Number::U8), (Number::S8, Number::U8), (Number::U8, Number::S8), (Number::S8, Number::S8), (Number::S8, Number::F32)])) {
        // Of bytes in groups, oneDNN 2.6 has kernels for depthwise convolutions only; others are refused.
        prop_assume!(case.groups != 2);
        if has(Number::S8) {
            case.holds()?;
        }
    }

    #[test]
    fn winograd(
        size in (1..4_usize, 5..20_usize, 5..20_usize),
        batch in 1..3_usize,
        channels in prop::sample::select(vec![(16, 16), (16, 48), (32, 32), (64, 16)]),
        after in prop::sample::select(vec![After::Nothing, After::Relu]),
        threads in 1..3_usize,
        seed in any::<u32>(),
    ) {
        let window = Window { kernel: [1, 3, 3], stride: [1; 3], padding: [(0, 0), (1, 1), (1, 1)], dilation: [1; 3] };
        let case = Case {
            features: [batch, size.0, size.1, size.2, channels.0],
            channels_out: channels.1, groups: 1, window, source: Number::F32, destination: Number::F32,
            is_gated: false, residual: None, after, winograd: true, threads, seed: u64::from(seed),
        };
        if has(Number::F32) {
            case.holds()?;
        }
    }

    #[test]
    fn pooling(
        number in prop::sample::select(vec![Number::F32, Number::Bf16, Number::U8, Number::S8]),
        is_average in any::<bool>(),
        kernel in prop::sample::select(vec![[1, 2, 2], [1, 3, 3], [3, 3, 3]]),
        stride in prop::sample::select(vec![[1, 2, 2], [2, 2, 2]]),
        after in 0..2_usize,
        size in (3..5_usize, 5..9_usize, 5..9_usize),
        channels in prop::sample::select(vec![3_usize, 16, 40]),
        seed in any::<u32>(),
    ) {
        if !has(number) {
            return Ok(());
        }
        let window = Window { kernel, stride, padding: [(0, 0), (0, after), (after, 0)], dilation: [1; 3] };
        let features = [2, size.0, size.1, size.2, channels];
        let spec = FusedPoolSpec { features, window, is_average, number, threads: 2 };
        let count = features.iter().product();
        let mut numbers = values(count, u64::from(seed));
        if number == Number::U8 {
            for value in &mut numbers {
                *value = value.abs();
            }
        }
        let (output, mut pool) = (spec.output(), FusedPool::new(spec).expect("there is a kernel"));
        let source = memory(&bytes_of(&numbers, number, SOURCE_SCALE));
        let output_bytes = output.iter().product::<usize>() * number.size();
        let mut destination = Arena::new(output_bytes);
        let mut scratch = Arena::new(pool.scratch_bytes());
        pool.run(&source.bytes()[..count * number.size()], &mut destination.bytes_mut()[..output_bytes], scratch.bytes_mut());
        let found = values_of(&destination.bytes()[..output_bytes], number, SOURCE_SCALE);
        for (index, found) in found.into_iter().enumerate() {
            let inside = in_window(&numbers, features, output, &window, index);
            let expected = if is_average {
                inside.iter().sum::<f64>() / inside.len() as f64
            } else {
                inside.iter().copied().fold(f64::NEG_INFINITY, f64::max)
            };
            let allowed = match number {
                Number::F32 => 1e-6,
                Number::Bf16 => expected.abs() / 128.0 + 1e-6,
                // Bytes are rounded to a unit.
                _ => SOURCE_SCALE * 0.51,
            };
            prop_assert!((found - expected).abs() <= allowed, "{index} is {found}, expected {expected}, by {}", pool.implementation());
        }
    }
}

/// The values that one output of a pooling looks at.
fn in_window(values: &[f64], features: [usize; 5], output: [usize; 5], window: &Window, index: usize) -> Vec<f64> {
    let channel = index % output[4];
    let mut rest = index / output[4];
    let mut at = [0; 4];
    for axis in (0..4).rev() {
        at[axis] = rest % output[axis];
        rest /= output[axis];
    }
    let mut inside = Vec::new();
    for a in 0..window.kernel[0] {
        for b in 0..window.kernel[1] {
            for c in 0..window.kernel[2] {
                let position: Option<Vec<usize>> = [a, b, c]
                    .iter()
                    .enumerate()
                    .map(|(axis, tap)| {
                        let padded = at[axis + 1] * window.stride[axis] + tap;
                        padded.checked_sub(window.padding[axis].0).filter(|at| *at < features[axis + 1])
                    })
                    .collect();
                if let Some(p) = position {
                    let flat = ((at[0] * features[1] + p[0]) * features[2] + p[1]) * features[3] + p[2];
                    inside.push(values[flat * features[4] + channel]);
                }
            }
        }
    }
    inside
}

#[test]
fn weights_are_shared_between_shapes_that_take_them_alike() {
    if !has(Number::F32) {
        return;
    }
    let window = Window { kernel: [1; 3], stride: [1; 3], padding: [(0, 0); 3], dilation: [1; 3] };
    let spec = FusedConvSpec {
        features: [1, 1, 8, 8, 32],
        channels_out: 64,
        window,
        groups: 1,
        source: Number::F32,
        destination: Number::F32,
        destination_scale: 1.0,
        is_gated: false,
        residual: None,
        after: After::Nothing,
        winograd: false,
        threads: 2,
    };
    let weights = narrow(&values(32 * 64, 1));
    let first = FusedConv::new(spec.clone(), Weights::Floats(&weights), &[0.5; 64]).expect("there is a kernel");
    let alike = first.again(FusedConvSpec { threads: 1, ..spec.clone() }).expect("there is a kernel");
    assert!(first.shares_weights_with(&alike));
    // Another shape may take them packed otherwise, and computes the same.
    let mut other =
        first.again(FusedConvSpec { features: [1, 1, 1, 1, 32], ..spec.clone() }).expect("there is a kernel");
    let fresh = FusedConvSpec { features: [1, 1, 1, 1, 32], ..spec.clone() };
    let mut fresh = FusedConv::new(fresh, Weights::Floats(&weights), &[0.5; 64]).expect("there is a kernel");
    let source = memory(&bytes_of(&values(32, 9), Number::F32, 1.0));
    let [mut a, mut b] = [Arena::new(256), Arena::new(256)];
    let mut scratch = Arena::new(other.scratch_bytes().max(fresh.scratch_bytes()));
    other.run(&source.bytes()[..128], None, a.bytes_mut(), scratch.bytes_mut());
    fresh.run(&source.bytes()[..128], None, b.bytes_mut(), scratch.bytes_mut());
    assert_eq!(a.bytes(), b.bytes());
    // Others would be other weights.
    assert!(first.again(FusedConvSpec { channels_out: 32, ..spec.clone() }).is_err());
    assert!(FusedConv::new(spec.clone(), Weights::Floats(&weights[1..]), &[0.5; 64]).is_err());
    assert!(
        FusedConv::new(FusedConvSpec { source: Number::U8, ..spec }, Weights::Floats(&weights), &[0.5; 64]).is_err()
    );
}

#[test]
fn bytes_that_would_saturate_are_refused() {
    if !has(Number::F32) || has(Number::S8) || !cfg!(target_arch = "x86_64") {
        return;
    }
    let window = Window { kernel: [1; 3], stride: [1; 3], padding: [(0, 0); 3], dilation: [1; 3] };
    let spec = FusedConvSpec {
        features: [1, 1, 4, 4, 4],
        channels_out: 4,
        window,
        groups: 1,
        source: Number::U8,
        destination: Number::U8,
        destination_scale: 1.0,
        is_gated: false,
        residual: None,
        after: After::Nothing,
        winograd: false,
        threads: 1,
    };
    let weights = Quantised { bytes: vec![1; 16], scales: vec![1.0; 4] };
    let error = FusedConv::new(spec, Weights::Quantised(&weights), &[0.0; 4]).expect_err("there is no exact kernel");
    assert!(error.to_string().contains("VNNI"), "{error}");
}

#[test]
fn without_onednn_no_kernel_is_promised() {
    if cpu::onednn().is_some() {
        return;
    }
    let window = Window { kernel: [1; 3], stride: [1; 3], padding: [(0, 0); 3], dilation: [1; 3] };
    let spec = FusedPoolSpec { features: [1; 5], window, is_average: false, number: Number::F32, threads: 1 };
    let error = FusedPool::new(spec).expect_err("there is no kernel");
    assert!(error.to_string().contains("no oneDNN"), "{error}");
}
