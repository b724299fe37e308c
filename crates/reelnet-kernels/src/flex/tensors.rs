//! Views of burn-flex's tensors, and fresh ones.
#![expect(clippy::inline_always, reason = "a loop takes on the instructions of the function that it is inlined into")]

use std::mem::MaybeUninit;

use burn::backend::flex::{FlexTensor, Layout};
use burn::tensor::{Bytes, Element, Shape, TensorData, bf16};

/// A tensor whose numbers stand in order, without a gap.
pub(crate) struct Dense {
    tensor: FlexTensor,
    #[cfg_attr(not(onednn), expect(dead_code, reason = "only what is done for oneDNN is counted"))]
    copied: bool,
}

impl Dense {
    pub(crate) fn of(tensor: &FlexTensor) -> Self {
        match tensor.layout().contiguous_offsets() {
            Some(_) => Self { tensor: tensor.clone(), copied: false },
            None => Self { tensor: tensor.to_contiguous(), copied: true },
        }
    }

    /// Whether they did not in the tensor itself.
    #[cfg(onednn)]
    pub(crate) fn is_copied(&self) -> bool {
        self.copied
    }

    #[cfg(onednn)]
    pub(crate) fn bytes(&self) -> &[u8] {
        let (start, end) = self.offsets();
        let size = self.tensor.dtype().size();
        &self.tensor.bytes()[start * size..end * size]
    }

    /// # Panics
    /// If they are other numbers.
    pub(crate) fn values<E: Float>(&self) -> &[E] {
        let (start, end) = self.offsets();
        &E::stored(&self.tensor)[start..end]
    }

    /// # Panics
    /// If they are not 32-bit floats.
    pub(crate) fn floats(&self) -> &[f32] {
        self.values()
    }

    fn offsets(&self) -> (usize, usize) {
        self.tensor.layout().contiguous_offsets().expect("the tensor was made contiguous")
    }
}

/// A fresh tensor. Its memory is not cleared first, which would cost as much as many an operation.
///
/// # Safety
/// `write` writes every value.
pub(crate) unsafe fn fresh<E: Float>(shape: Shape, write: impl FnOnce(&mut [MaybeUninit<E>])) -> FlexTensor {
    let count = shape.num_elements();
    let mut values = Vec::<E>::with_capacity(count);
    write(&mut values.spare_capacity_mut()[..count]);
    // SAFETY: there is room for `count`, and the caller promises that they are written.
    unsafe { values.set_len(count) };
    FlexTensor::new(Bytes::from_elems(values), Layout::contiguous(shape), E::dtype())
}

/// Numbers that features are held in here; any bits are one. All arithmetic is in 32 bits.
pub(crate) trait Float: Element + Copy + Send + Sync {
    /// # Panics
    /// If the tensor holds other numbers.
    fn stored(tensor: &FlexTensor) -> &[Self];
    fn widened(self) -> f32;
    /// The nearest number; of two that are equally near, the even one.
    fn nearest(value: f32) -> Self;
}

impl Float for f32 {
    fn stored(tensor: &FlexTensor) -> &[Self] {
        tensor.storage()
    }

    #[inline(always)]
    fn widened(self) -> f32 {
        self
    }

    #[inline(always)]
    fn nearest(value: f32) -> Self {
        value
    }
}

impl Float for bf16 {
    fn stored(tensor: &FlexTensor) -> &[Self] {
        tensor.storage()
    }

    #[inline(always)]
    fn widened(self) -> f32 {
        f32::from_bits(u32::from(self.to_bits()) << 16)
    }

    /// As `bf16::from_f32`, but without branches, so that a loop over it becomes vectors.
    #[inline(always)]
    fn nearest(value: f32) -> Self {
        let bits = value.to_bits();
        let rounded = bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16;
        // Rounding could make an infinity of what is not a number.
        let quiet = bits >> 16 | 0x40;
        #[expect(clippy::cast_possible_truncation, reason = "the upper half was shifted down")]
        Self::from_bits(if value.is_nan() { quiet } else { rounded } as u16)
    }
}

/// The same memory as bytes.
#[cfg(onednn)]
pub(crate) fn bytes_of<E: Float>(values: &mut [MaybeUninit<E>]) -> &mut [MaybeUninit<u8>] {
    // SAFETY: floats are bytes without gaps, whether written or not, and bytes have no alignment; whatever bytes are written there
    // are floats.
    unsafe { std::slice::from_raw_parts_mut(values.as_mut_ptr().cast(), size_of_val(values)) }
}

/// A fresh `[values]` of sums that were kept in 64 bits.
pub(super) fn rounded(values: impl Iterator<Item = f64>) -> FlexTensor {
    let values: Vec<f32> = values.map(narrow).collect();
    let shape = [values.len()];
    FlexTensor::from_data(TensorData::new(values, shape))
}

#[expect(clippy::cast_possible_truncation, reason = "features are 32-bit floats; sums over them are not")]
pub(super) fn narrow(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use burn::tensor::bf16;

    use super::Float;

    #[test]
    fn bfloat16_is_rounded_as_its_crate_rounds() {
        let odd = (0..=u32::from(u16::MAX))
            .flat_map(|high| [0, 1, 0x7fff, 0x8000, 0x8001, 0xffff].map(|low| high << 16 | low));
        for value in odd.map(f32::from_bits) {
            assert_eq!(bf16::nearest(value).to_bits(), bf16::from_f32(value).to_bits(), "{:x}", value.to_bits());
            assert_eq!(bf16::nearest(value).widened().to_bits(), bf16::from_f32(value).to_f32().to_bits());
        }
    }
}
