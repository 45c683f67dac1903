//! What the tests of every decompressor need.

use super::{Compression, InflateError, InflateLimits, Inflater, PIECE_BYTES};

pub(super) fn inflate_with<'a>(
    compression: Compression,
    pushes: impl IntoIterator<Item = &'a [u8]>,
    limits: InflateLimits,
) -> Result<Vec<u8>, InflateError> {
    let mut text = Vec::new();
    let mut inflater = Inflater::with_limits(compression, limits);
    for push in pushes {
        inflater.push(push, &mut |piece: &[u8]| {
            assert!(!piece.is_empty() && piece.len() <= PIECE_BYTES);
            text.extend_from_slice(piece);
            Ok::<(), InflateError>(())
        })?;
    }
    inflater.finish()?;
    Ok(text)
}

/// At once and byte by byte, which must come to the same.
pub(super) fn inflate(compression: Compression, file: &[u8]) -> Result<Vec<u8>, InflateError> {
    let whole = inflate_with(compression, [file], InflateLimits::default());
    let byte_by_byte = inflate_with(compression, file.chunks(1), InflateLimits::default());
    assert_eq!(whole, byte_by_byte);
    whole
}

/// Whether a file that comes to `uncompressed_bytes`, all the same, keeps to both limits.
pub(super) fn check_limits(compression: Compression, file: &[u8], uncompressed_bytes: u64) {
    let inflate_with = |limits| inflate_with(compression, [file], limits);
    let sane = InflateLimits::default();
    assert!(inflate_with(InflateLimits { max_output_bytes: uncompressed_bytes, max_ratio: 10, ..sane }).is_ok());

    let max_output_bytes = uncompressed_bytes - 1;
    let error = InflateError::TooLarge { max_output_bytes };
    assert_eq!(inflate_with(InflateLimits { max_output_bytes, ..sane }), Err(error));

    let strict = InflateLimits { max_ratio: 10, ratio_from_bytes: uncompressed_bytes / 2, ..sane };
    let error = inflate_with(strict).unwrap_err();
    assert!(matches!(error, InflateError::TooDense { max_ratio: 10, .. }), "{error}");
    assert!(inflate_with(InflateLimits { ratio_from_bytes: uncompressed_bytes, ..strict }).is_ok());
}

/// The file in pieces of these lengths, and the rest.
pub(super) fn split<'a>(file: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut rest = file;
    let mut pushes = Vec::new();
    for cut in cuts {
        let (left, right) = rest.split_at((*cut).min(rest.len()));
        pushes.push(left);
        rest = right;
    }
    pushes.push(rest);
    pushes
}
