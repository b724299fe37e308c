//! Weights and inputs from a formula, the same as `scripts/golden/formula.py` computes, so that no golden file holds them.

use reelnet_models::{Network, parameters};

const GOLDEN_GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;

/// The tensor called `name`, row by row.
///
/// # Panics
/// If the formula has no rule for the name.
pub fn values(name: &str, shape: &[usize]) -> Vec<f32> {
    let seed = fnv1a64(name);
    let count: usize = shape.iter().product();
    let fan_in: usize = shape.iter().skip(1).product();
    #[expect(clippy::cast_possible_truncation, reason = "the formula ends with this rounding")]
    let value = |index: usize| {
        let u = uniform(seed.wrapping_add((index as u64 + 1).wrapping_mul(GOLDEN_GAMMA)));
        let v = 2.0 * u - 1.0;
        let value = match () {
            () if name == "input" => v,
            () if name.ends_with("running_var") => 0.5 + u,
            () if name.ends_with("running_mean") => 0.1 * v,
            () if name.ends_with(".bias") => 0.05 * v,
            () if name.ends_with(".weight") && shape.len() == 1 => 0.75 + 0.5 * u,
            () if name.ends_with(".weight") => v * (6.0 / fan_in as f64).sqrt(),
            () => panic!("the formula has no rule for `{name}`"),
        };
        value as f32
    };
    (0..count).map(value).collect()
}

/// A network whose every parameter follows the formula; `bn3_scale` damps what each residual block adds.
pub fn fill(network: Network, bn3_scale: f32) -> Network {
    parameters::replace(network, |parameter| {
        let mut values = values(&parameter.name, &parameter.shape);
        if parameter.name.ends_with(".bn3.weight") {
            for value in &mut values {
                *value *= bn3_scale;
            }
        }
        Some(values)
    })
}

fn fnv1a64(name: &str) -> u64 {
    name.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3))
}

/// splitmix64's finaliser, as a number in [0, 1).
fn uniform(mut z: u64) -> f64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^= z >> 31;
    (z >> 11) as f64 * 2f64.powi(-53)
}
