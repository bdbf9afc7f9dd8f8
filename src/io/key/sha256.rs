//! Lends libsecp256k1 a SHA-256 that uses the processor's own instructions, for the RFC 6979 nonces inside it.
//!
//! The library derives every nonce with two dozen SHA-256 blocks in portable C, some 3 µs of a signature; its header
//! offers a hook for an accelerated block function, tests it when it is set, and keeps the rest of RFC 6979 and the
//! wiping of secrets to itself. Its Rust crate does not declare the hook yet, so it is declared here; the name
//! carries the crate's version, and another version fails to link rather than misbehave.

use std::ptr::NonNull;
use std::slice;

use secp256k1_sys as secp;

type Compress = unsafe extern "C" fn(state: *mut u32, blocks: *const u8, count: usize);

unsafe extern "C" {
    fn rustsecp256k1_v0_14_context_set_sha256_compression(context: *mut secp::Context, compress: Option<Compress>);
}

/// `count` blocks of 64 bytes into the state.
unsafe extern "C" fn compress(state: *mut u32, blocks: *const u8, count: usize) {
    // SAFETY: the library passes eight aligned words and `count` blocks of 64 bytes, of any alignment, that do not
    // overlap. The block type, which `compress256` infers, is an array of 64 bytes and laid out as one.
    let (state, blocks) = unsafe { (&mut *state.cast::<[u32; 8]>(), slice::from_raw_parts(blocks.cast(), count)) };
    sha2::compress256(state, blocks);
}

/// Makes a context hash with [`compress`]. The library compares it with known digests first and aborts if it is wrong.
pub(super) fn lend(context: NonNull<secp::Context>) {
    // SAFETY: the context is one the caller made and owns; the function stays valid for ever.
    unsafe { rustsecp256k1_v0_14_context_set_sha256_compression(context.as_ptr(), Some(compress)) };
}
