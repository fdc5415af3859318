//! Where the text of a packet is read.

/// Where the text is read that is written to a buffer: there, or somewhere else.
pub(super) trait Source {
    /// The bytes that belong to the next `N` bytes of the buffer, which are `here`. They are taken in
    /// order, from the front.
    fn take<const N: usize>(&mut self, here: &[u8; N]) -> [u8; N];
}

/// The text lies in the buffer.
pub(super) struct InPlace;

impl Source for InPlace {
    #[inline(always)]
    fn take<const N: usize>(&mut self, here: &[u8; N]) -> [u8; N] {
        *here
    }
}

/// The front of the text lies elsewhere, and the rest in the buffer.
pub(super) struct Elsewhere<'a>(&'a [u8]);

impl<'a> Elsewhere<'a> {
    /// What is taken at once at most, and a multiple of what is ever taken.
    const PIECE: usize = 64;

    /// `text` is to be read for the front of `buffer`. Bytes behind its last whole piece are copied there now.
    /// `None` if `buffer` is shorter.
    #[inline]
    pub(super) fn new(text: &'a [u8], buffer: &mut [u8]) -> Option<Self> {
        let (pieces, rest) = text.split_at(text.len() - text.len() % Self::PIECE);
        buffer.get_mut(pieces.len()..text.len())?.copy_from_slice(rest);
        Some(Self(pieces))
    }
}

impl Source for Elsewhere<'_> {
    #[inline(always)]
    fn take<const N: usize>(&mut self, here: &[u8; N]) -> [u8; N] {
        match self.0.split_first_chunk() {
            Some((bytes, rest)) => {
                self.0 = rest;
                *bytes
            }
            None => *here,
        }
    }
}
