//! Memory for a whole network, cleared once and used again and again.

/// One cache line, which is also one vector of AVX-512.
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C, align(64))]
struct Line {
    bytes: [u8; Arena::LINE],
}

/// Bytes that start on a cache line.
pub struct Arena {
    lines: Box<[Line]>,
}

impl Arena {
    /// What parts of an arena should start on multiples of.
    pub const LINE: usize = 64;

    /// An arena of at least `bytes`, all zero.
    pub fn new(bytes: usize) -> Self {
        Self { lines: bytemuck::zeroed_slice_box(bytes.div_ceil(Self::LINE)) }
    }

    /// All of it.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        bytemuck::cast_slice_mut(&mut self.lines)
    }

    /// All of it.
    pub fn bytes(&self) -> &[u8] {
        bytemuck::cast_slice(&self.lines)
    }
}

impl std::fmt::Debug for Arena {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Arena({} bytes)", self.lines.len() * Self::LINE)
    }
}
