//! What memory holds, and what happens to a value before it is written.

/// A kind of number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Number {
    /// 32-bit float.
    F32,
    /// The upper half of one.
    Bf16,
    /// A byte from 0 to 255, times a scale.
    U8,
    /// A byte from -128 to 127, times a scale.
    S8,
}

impl Number {
    /// Bytes of one.
    pub fn size(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::Bf16 => 2,
            Self::U8 | Self::S8 => 1,
        }
    }

    /// Whether it means nothing without a scale.
    pub fn is_8_bit(self) -> bool {
        self.size() == 1
    }

    /// The largest it can hold, of 8-bit numbers.
    pub fn limit(self) -> f32 {
        match self {
            Self::U8 => 255.0,
            Self::S8 => 127.0,
            Self::F32 | Self::Bf16 => f32::MAX,
        }
    }
}

/// What follows a convolution, element by element.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum After {
    /// The value as it is.
    #[default]
    Nothing,
    /// `max(x, 0)`
    Relu,
    /// `min(max(x, 0), 6)`
    Relu6,
    /// `x · sigmoid(x)`
    Swish,
    /// `1 / (1 + exp(-x))`
    Sigmoid,
}
