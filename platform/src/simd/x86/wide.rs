//! The same with VAES and VPCLMULQDQ: two blocks in each register, or four with AVX-512.
//!
//! Both forms are one text, for the registers and instructions that [`ymm`] and [`zmm`] name. A pass takes
//! [`STRIDE`] blocks. In AES-GCM, while AES makes the key stream of one, GHASH takes up the ciphertext of the
//! one before, which keeps both units busy.

/// Blocks in a pass.
pub(super) const STRIDE: usize = 16;

/// Blocks in the widest register.
pub(super) const MAX_LANES: usize = zmm::LANES;

/// The code of a form: the features that it needs, and how many registers can be left behind the last
/// pass, without the most.
macro_rules! form {
    ($features:literal, [$($left:literal),*]) => {
        use core::arch::x86_64::{
            __m128i, _mm_extract_epi64, _mm_set_epi32, _mm_setzero_si128,
            _mm_xor_si128,
        };

        use super::STRIDE;
        use crate::simd::source::{InPlace, Source};
        use crate::simd::x86::gmac::{GmacPacket, MAX_GMAC_AAD, fill_up};
        use crate::simd::x86::{
            BLOCK, Gcm, NONCE_LEN, POWERS, Packet, Product, byte_order, counters, load,
            load_partial, reverse, to_bits, xor_block, xor_partial,
        };

        /// Registers in a pass.
        const REGISTERS: usize = STRIDE / LANES;

        /// Bytes in a register.
        const BYTES: usize = LANES * BLOCK;

        /// As [`Gcm::seal`].
        #[target_feature(enable = $features)]
        pub(in crate::simd) fn seal<const ROUNDS: usize>(
            gcm: &Gcm<ROUNDS>,
            nonce: &[u8; NONCE_LEN],
            aad: &[u8],
            mut source: impl Source,
            text: &mut [u8],
        ) -> u128 {
            let packet = Packet::new(nonce, aad, text);
            to_bits(run::<ROUNDS, true>(gcm, &packet, &mut source, text))
        }

        /// As [`Gcm::open`].
        #[target_feature(enable = $features)]
        pub(in crate::simd) fn open<const ROUNDS: usize>(
            gcm: &Gcm<ROUNDS>,
            nonce: &[u8; NONCE_LEN],
            aad: &[u8],
            text: &mut [u8],
        ) -> u128 {
            let packet = Packet::new(nonce, aad, text);
            to_bits(run::<ROUNDS, false>(gcm, &packet, &mut InPlace, text))
        }

        /// As [`Gcm::gmac`].
        #[target_feature(enable = $features)]
        pub(in crate::simd) fn gmac<const ROUNDS: usize>(
            gcm: &Gcm<ROUNDS>,
            nonce: &[u8; NONCE_LEN],
            aad: &[u8],
            text: &[u8],
        ) -> u128 {
            let GmacPacket { mask, lengths } = gcm.gmac_packet(nonce, aad, text);
            let mut head = [0; MAX_GMAC_AAD];
            let (head, text) = fill_up(&mut head, aad, text);
            let mut hash = gcm.gmac_head(head, 0).reduce();
            let (passes, rest) = text.as_chunks::<{ STRIDE * BLOCK }>();
            for pass in passes {
                hash = hash_pass(gcm, hash, load_pass(pass));
            }
            let mut power = rest.len().div_ceil(BLOCK) + 1;
            let (whole, last) = rest.as_chunks();
            let mut product = WideProduct::zero();
            let mut hash = widen(hash);
            for piece in whole {
                product.add(xor(reverse_wide(load_wide(piece)), hash), powers(gcm, power));
                hash = zero();
                power -= LANES;
            }
            if !last.is_empty() {
                product.add(xor(reverse_wide(load_last(last)), hash), powers(gcm, power));
                hash = zero();
            }
            let mut product = product.narrow();
            product.add(_mm_xor_si128(lengths, first(hash)), gcm.power(1));
            to_bits(_mm_xor_si128(reverse(product.reduce()), mask))
        }

        /// Encrypts or decrypts, and returns the tag of the ciphertext.
        #[inline]
        #[target_feature(enable = $features)]
        fn run<const ROUNDS: usize, const SEAL: bool>(
            gcm: &Gcm<ROUNDS>,
            packet: &Packet,
            source: &mut impl Source,
            text: &mut [u8],
        ) -> __m128i {
            let mut product = Product::zero();
            product.add(packet.aad, gcm.power(1));
            let mut hash = product.reduce();
            let mut counter = first_counters(packet.nonce);
            let (passes, rest) = text.as_chunks_mut::<{ STRIDE * BLOCK }>();
            if let Some((pass, passes)) = passes.split_first_mut() {
                let stream = encrypt(gcm, next_counters::<REGISTERS>(&mut counter));
                let mut ciphers = xor_pass::<SEAL>(source, pass, stream);
                for pass in passes {
                    let stream = encrypt(gcm, next_counters::<REGISTERS>(&mut counter));
                    hash = hash_pass(gcm, hash, ciphers);
                    ciphers = xor_pass::<SEAL>(source, pass, stream);
                }
                hash = hash_pass(gcm, hash, ciphers);
            }
            match rest.len().div_ceil(BYTES) {
                $($left => tail::<ROUNDS, SEAL, $left>(gcm, packet, source, rest, counter, hash),)*
                0 => tail::<ROUNDS, SEAL, 1>(gcm, packet, source, rest, counter, hash),
                _ => tail::<ROUNDS, SEAL, REGISTERS>(gcm, packet, source, rest, counter, hash),
            }
        }

        /// What is left behind the last pass, which takes `N` registers; then the lengths and the mask.
        ///
        /// Each a function of its own: in one, the compiler would load the round keys ahead of them all, and run
        /// out of registers.
        #[inline(never)]
        #[target_feature(enable = $features)]
        fn tail<const ROUNDS: usize, const SEAL: bool, const N: usize>(
            gcm: &Gcm<ROUNDS>,
            packet: &Packet,
            source: &mut impl Source,
            text: &mut [u8],
            mut counter: Register,
            hash: __m128i,
        ) -> __m128i {
            let [mask] = counters::<1>(packet.nonce, 1);
            let (stream, mask) = encrypt_two(gcm, next_counters::<N>(&mut counter), [widen(mask)]);
            let count = text.len().div_ceil(BLOCK);
            let (whole, last) = text.split_at_mut((N - 1) * BYTES);
            let mut product = WideProduct::zero();
            let mut hash = widen(hash);
            for (index, piece) in whole.as_chunks_mut().0.iter_mut().enumerate() {
                let cipher = xor_piece::<SEAL>(source, piece, stream[index]);
                product.add(xor(reverse_wide(cipher), hash), powers(gcm, count + 1 - index * LANES));
                hash = zero();
            }
            let cipher = xor_last::<SEAL>(source, last, stream[N - 1]);
            let cipher = xor(reverse_wide(cipher), hash);
            product.add(cipher, powers(gcm, count + 1 - (N - 1) * LANES));
            let mut product = product.narrow();
            product.add(packet.lengths, gcm.power(1));
            _mm_xor_si128(reverse(product.reduce()), first(mask[0]))
        }

        /// Runs registers through AES side by side.
        #[inline]
        #[target_feature(enable = $features)]
        fn encrypt<const ROUNDS: usize, const N: usize>(
            gcm: &Gcm<ROUNDS>,
            blocks: [Register; N],
        ) -> [Register; N] {
            encrypt_two(gcm, blocks, []).0
        }

        /// Runs registers of two groups through AES side by side.
        #[inline]
        #[target_feature(enable = $features)]
        fn encrypt_two<const ROUNDS: usize, const N: usize, const M: usize>(
            gcm: &Gcm<ROUNDS>,
            mut blocks: [Register; N],
            mut others: [Register; M],
        ) -> ([Register; N], [Register; M]) {
            let key = broadcast(gcm.aes.keys[0]);
            for block in &mut blocks {
                *block = xor(*block, key);
            }
            for block in &mut others {
                *block = xor(*block, key);
            }
            for round in 1..ROUNDS {
                let key = broadcast(gcm.aes.keys[round]);
                for block in &mut blocks {
                    *block = aes_round(*block, key);
                }
                for block in &mut others {
                    *block = aes_round(*block, key);
                }
            }
            let key = broadcast(gcm.aes.keys[ROUNDS]);
            for block in &mut blocks {
                *block = aes_last_round(*block, key);
            }
            for block in &mut others {
                *block = aes_last_round(*block, key);
            }
            (blocks, others)
        }

        /// GHASH's state after a pass of ciphertext, before which it was `hash`.
        #[inline]
        #[target_feature(enable = $features)]
        fn hash_pass<const ROUNDS: usize>(
            gcm: &Gcm<ROUNDS>,
            hash: __m128i,
            ciphers: [Register; REGISTERS],
        ) -> __m128i {
            let mut product = WideProduct::zero();
            for (index, cipher) in ciphers.into_iter().enumerate() {
                let mut cipher = reverse_wide(cipher);
                if index == 0 {
                    cipher = xor(cipher, widen(hash));
                }
                product.add(cipher, powers(gcm, STRIDE - index * LANES));
            }
            product.narrow().reduce()
        }

        /// H^`exponent` and the powers below it, a lane each, and their folded forms.
        #[inline]
        #[target_feature(enable = $features)]
        fn powers<const ROUNDS: usize>(gcm: &Gcm<ROUNDS>, exponent: usize) -> (Register, Register) {
            let index = POWERS - exponent;
            let (mut plain, mut folded) = ([_mm_setzero_si128(); LANES], [_mm_setzero_si128(); LANES]);
            plain.copy_from_slice(&gcm.powers[index..index + LANES]);
            folded.copy_from_slice(&gcm.folded[index..index + LANES]);
            (join(plain), join(folded))
        }

        /// As many [`Product`]s side by side as there are lanes.
        struct WideProduct {
            low: Register,
            middle: Register,
            high: Register,
        }

        impl WideProduct {
            #[inline]
            #[target_feature(enable = $features)]
            fn zero() -> Self {
                Self { low: zero(), middle: zero(), high: zero() }
            }

            #[inline]
            #[target_feature(enable = $features)]
            fn add(&mut self, blocks: Register, (powers, folded): (Register, Register)) {
                self.low = xor(self.low, multiply::<0x00>(blocks, powers));
                self.high = xor(self.high, multiply::<0x11>(blocks, powers));
                let sums = xor(blocks, permute_words::<0x4e>(blocks));
                self.middle = xor(self.middle, multiply::<0x00>(sums, folded));
            }

            /// The sum of all.
            #[inline]
            #[target_feature(enable = $features)]
            fn narrow(self) -> Product {
                Product { low: sum(self.low), middle: sum(self.middle), high: sum(self.high) }
            }
        }

        /// Reverses the order of the bytes in each lane.
        #[inline]
        #[target_feature(enable = $features)]
        fn reverse_wide(x: Register) -> Register {
            permute(x, broadcast(byte_order()))
        }

        /// The blocks of nonce and counter that make the key stream of the first register, byte-reversed:
        /// their counters, from 2 on, can be added to so.
        #[inline]
        #[target_feature(enable = $features)]
        fn first_counters(nonce: __m128i) -> Register {
            let mut numbers = [_mm_setzero_si128(); LANES];
            for (lane, number) in numbers.iter_mut().enumerate() {
                *number = _mm_set_epi32(0, 0, 0, 2 + lane as i32);
            }
            add(broadcast(reverse(nonce)), join(numbers))
        }

        /// The blocks of the next `N` registers.
        #[inline]
        #[target_feature(enable = $features)]
        fn next_counters<const N: usize>(counter: &mut Register) -> [Register; N] {
            let mut blocks = [zero(); N];
            for block in &mut blocks {
                *block = reverse_wide(*counter);
                *counter = add(*counter, broadcast(_mm_set_epi32(0, 0, 0, LANES as i32)));
            }
            blocks
        }

        /// Applies the key stream to what `source` has for a pass and returns the ciphertext.
        #[inline]
        #[target_feature(enable = $features)]
        fn xor_pass<const SEAL: bool>(
            source: &mut impl Source,
            pass: &mut [u8; STRIDE * BLOCK],
            mut stream: [Register; REGISTERS],
        ) -> [Register; REGISTERS] {
            for (piece, stream) in pass.as_chunks_mut().0.iter_mut().zip(&mut stream) {
                *stream = xor_piece::<SEAL>(source, piece, *stream);
            }
            stream
        }

        /// The same for as much as a register holds.
        #[inline]
        #[target_feature(enable = $features)]
        fn xor_piece<const SEAL: bool>(
            source: &mut impl Source,
            piece: &mut [u8; BYTES],
            stream: Register,
        ) -> Register {
            let before = load_wide(&source.take(piece));
            let after = xor(before, stream);
            *piece = store_wide(after);
            if SEAL { after } else { before }
        }

        /// The same for at most as much as a register holds; the ciphertext comes padded with zeros.
        #[inline]
        #[target_feature(enable = $features)]
        fn xor_last<const SEAL: bool>(
            source: &mut impl Source,
            text: &mut [u8],
            stream: Register,
        ) -> Register {
            if let Some(piece) = text.first_chunk_mut() {
                return xor_piece::<SEAL>(source, piece, stream);
            }
            let stream = split(stream);
            let mut ciphers = [_mm_setzero_si128(); LANES];
            let (blocks, rest) = text.as_chunks_mut();
            let partial = blocks.len();
            for (lane, cipher) in ciphers.iter_mut().enumerate() {
                *cipher = match blocks.get_mut(lane) {
                    Some(block) => xor_block::<SEAL>(source, block, stream[lane]),
                    None if lane == partial => xor_partial::<SEAL>(rest, stream[lane]),
                    None => *cipher,
                };
            }
            join(ciphers)
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn load_wide(piece: &[u8; BYTES]) -> Register {
            let mut lanes = [_mm_setzero_si128(); LANES];
            for (lane, block) in lanes.iter_mut().zip(piece.as_chunks().0) {
                *lane = load(block);
            }
            join(lanes)
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn load_pass(pass: &[u8; STRIDE * BLOCK]) -> [Register; REGISTERS] {
            let mut registers = [zero(); REGISTERS];
            for (register, piece) in registers.iter_mut().zip(pass.as_chunks().0) {
                *register = load_wide(piece);
            }
            registers
        }

        /// Fewer bytes than a register holds, padded with zeros.
        #[inline]
        #[target_feature(enable = $features)]
        fn load_last(bytes: &[u8]) -> Register {
            let mut lanes = [_mm_setzero_si128(); LANES];
            let (blocks, rest) = bytes.as_chunks();
            let partial = load_partial(rest);
            for (index, lane) in lanes.iter_mut().enumerate() {
                *lane = match blocks.get(index) {
                    Some(block) => load(block),
                    None if index == blocks.len() => partial,
                    None => *lane,
                };
            }
            join(lanes)
        }

        /// In words of 8 bytes, which the compiler joins to one store.
        #[inline]
        #[target_feature(enable = $features)]
        fn store_wide(x: Register) -> [u8; BYTES] {
            let mut piece = [0; BYTES];
            for (words, lane) in piece.as_chunks_mut::<BLOCK>().0.iter_mut().zip(split(x)) {
                let (words, _) = words.as_chunks_mut();
                words[0] = _mm_extract_epi64::<0>(lane).to_le_bytes();
                words[1] = _mm_extract_epi64::<1>(lane).to_le_bytes();
            }
            piece
        }
    };
}

/// Two blocks in a register.
pub(in crate::simd) mod ymm {
    use core::arch::x86_64::{
        __m256i as Register, _mm256_add_epi32 as add, _mm256_aesenc_epi128 as aes_round,
        _mm256_aesenclast_epi128 as aes_last_round, _mm256_broadcastsi128_si256 as broadcast,
        _mm256_castsi256_si128 as first, _mm256_clmulepi64_epi128 as multiply,
        _mm256_extracti128_si256, _mm256_set_m128i, _mm256_setzero_si256 as zero,
        _mm256_shuffle_epi8 as permute, _mm256_shuffle_epi32 as permute_words,
        _mm256_xor_si256 as xor, _mm256_zextsi128_si256 as widen,
    };

    pub(super) const LANES: usize = 2;

    form!("aes,pclmulqdq,ssse3,sse4.1,avx,avx2,vaes,vpclmulqdq", [1, 2, 3, 4, 5, 6, 7]);

    #[inline]
    #[target_feature(enable = "avx,avx2")]
    fn join([a, b]: [__m128i; LANES]) -> Register {
        _mm256_set_m128i(b, a)
    }

    #[inline]
    #[target_feature(enable = "avx,avx2")]
    fn split(x: Register) -> [__m128i; LANES] {
        [first(x), _mm256_extracti128_si256::<1>(x)]
    }

    #[inline]
    #[target_feature(enable = "avx,avx2")]
    fn sum(x: Register) -> __m128i {
        let [a, b] = split(x);
        _mm_xor_si128(a, b)
    }
}

/// Four blocks in a register.
pub(in crate::simd) mod zmm {
    use core::arch::x86_64::{
        __m512i as Register, _mm256_castsi256_si128, _mm256_extracti128_si256, _mm256_xor_si256,
        _mm512_add_epi32 as add, _mm512_aesenc_epi128 as aes_round,
        _mm512_aesenclast_epi128 as aes_last_round, _mm512_broadcast_i32x4 as broadcast,
        _mm512_castsi128_si512, _mm512_castsi512_si128 as first, _mm512_castsi512_si256,
        _mm512_clmulepi64_epi128 as multiply, _mm512_extracti32x4_epi32, _mm512_extracti64x4_epi64,
        _mm512_inserti32x4, _mm512_setzero_si512 as zero, _mm512_shuffle_epi8 as permute,
        _mm512_shuffle_epi32 as permute_words, _mm512_xor_si512 as xor,
        _mm512_zextsi128_si512 as widen,
    };

    pub(super) const LANES: usize = 4;

    form!(
        "aes,pclmulqdq,ssse3,sse4.1,avx,avx2,vaes,vpclmulqdq,avx512f,avx512bw,avx512vl",
        [1, 2, 3]
    );

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn join([a, b, c, d]: [__m128i; LANES]) -> Register {
        let x = _mm512_inserti32x4::<1>(_mm512_castsi128_si512(a), b);
        _mm512_inserti32x4::<3>(_mm512_inserti32x4::<2>(x, c), d)
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn split(x: Register) -> [__m128i; LANES] {
        [
            first(x),
            _mm512_extracti32x4_epi32::<1>(x),
            _mm512_extracti32x4_epi32::<2>(x),
            _mm512_extracti32x4_epi32::<3>(x),
        ]
    }

    #[inline]
    #[target_feature(enable = "avx,avx2,avx512f")]
    fn sum(x: Register) -> __m128i {
        let x = _mm256_xor_si256(_mm512_castsi512_si256(x), _mm512_extracti64x4_epi64::<1>(x));
        _mm_xor_si128(_mm256_castsi256_si128(x), _mm256_extracti128_si256::<1>(x))
    }
}
