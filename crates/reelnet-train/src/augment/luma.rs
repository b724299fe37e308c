//! Grey from colours, as the operations of TensorFlow and of torchvision have it.

/// Weights of red, green and blue (ITU-R BT.601), to the digits that both libraries use.
const WEIGHTS: [f32; 3] = [0.2989, 0.587, 0.114];

/// `tf.image.rgb_to_grayscale` of bytes: through numbers from 0 to 1, and back by 255.5, cut off.
pub(super) fn tensorflow([red, green, blue]: [u8; 3]) -> u8 {
    const SCALE: f32 = 1.0 / 255.0;
    let [red, green, blue] = [red, green, blue].map(|byte| f32::from(byte) * SCALE);
    cut((red * WEIGHTS[0] + green * WEIGHTS[1] + blue * WEIGHTS[2]) * 255.5)
}

/// torchvision's `rgb_to_grayscale` of bytes: the weighted sum, cut off.
pub(super) fn torchvision([red, green, blue]: [u8; 3]) -> u8 {
    cut(f32::from(red) * WEIGHTS[0] + f32::from(green) * WEIGHTS[1] + f32::from(blue) * WEIGHTS[2])
}

/// To a byte: clipped to its range, and the fraction cut off.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast clips and cuts off, as is meant")]
pub(super) fn cut(value: f32) -> u8 {
    value as u8
}
