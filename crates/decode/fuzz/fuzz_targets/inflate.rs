//! Any bytes as a compressed file, and before the sniffer: no panic, no output beyond the limit, and the same output
//! however the file was pushed.
#![no_main]

use encoding_rs::{UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};
use libfuzzer_sys::fuzz_target;
use millrace_decode::inflate::{Compression, Content, InflateError, InflateLimits, Inflater, sniff, sniff_content};
use millrace_decode_fuzz::{choose, split};

const COMPRESSIONS: [Compression; 4] = [Compression::Gzip, Compression::Zstd, Compression::Zip, Compression::None];
const CONTENTS: [Content; 6] = [
    Content::Text { encoding: UTF_8 },
    Content::Text { encoding: UTF_16LE },
    Content::Text { encoding: UTF_16BE },
    Content::Text { encoding: WINDOWS_1252 },
    Content::Ndjson,
    Content::Parquet,
];

const MAX_OUTPUT_BYTES: u64 = 1 << 20;
const MAX_PIECE_BYTES: usize = 128 * 1024;

fuzz_target!(|data: &[u8]| {
    let Some(([compression, longest_push], file)) = data.split_first_chunk() else { return };
    let compression = *choose(&COMPRESSIONS, *compression);
    let _ = sniff(file, compression);
    let whole = inflate(compression, &[file]);
    let in_pieces = inflate(compression, &split(file, *longest_push));
    assert_eq!(whole.is_ok(), in_pieces.is_ok(), "{whole:?} {in_pieces:?}");
    if let (Ok(whole), Ok(in_pieces)) = (whole, in_pieces) {
        assert!(whole == in_pieces);
        for content in CONTENTS {
            let _ = sniff_content(&whole, content);
        }
    }
});

fn inflate(compression: Compression, pushes: &[&[u8]]) -> Result<Vec<u8>, InflateError> {
    let limits = InflateLimits { max_output_bytes: MAX_OUTPUT_BYTES, ..InflateLimits::default() };
    let mut inflater = Inflater::with_limits(compression, limits);
    let mut output = Vec::new();
    for push in pushes {
        let result = inflater.push(push, &mut |piece: &[u8]| {
            assert!(!piece.is_empty() && piece.len() <= MAX_PIECE_BYTES);
            output.extend_from_slice(piece);
            Ok::<(), InflateError>(())
        });
        assert!(compression == Compression::None || output.len() as u64 <= MAX_OUTPUT_BYTES);
        result.inspect_err(|error| assert!(!error.remedy().is_empty()))?;
    }
    inflater.finish().map(|()| output)
}
