//! Which partition a key goes to, as Event Hubs itself decides it: Bob Jenkins' lookup3, of which all of Azure's SDKs have
//! a copy (`PartitionResolver.cs` of azure-sdk-for-net). So events that are sent to a partition lie beside those of the
//! same key that the hub placed.

/// The place of a key among `partitions`.
pub fn index(key: &str, partitions: usize) -> usize {
    let partitions = i32::try_from(partitions.max(1)).unwrap_or(i32::MAX);
    let place = i32::from(hash(key)) % partitions;
    place.unsigned_abs() as usize
}

fn hash(key: &str) -> i16 {
    let (first, second) = lookup3(key.as_bytes());
    ((first ^ second) & 0xffff) as u16 as i16
}

fn lookup3(data: &[u8]) -> (u32, u32) {
    let mut words = [0xdead_beef_u32.wrapping_add(data.len() as u32); 3];
    // The last twelve bytes, or what there is of them, are mixed otherwise.
    let (blocks, rest) = data.split_at(data.len().saturating_sub(1) / 12 * 12);
    for block in blocks.chunks_exact(12) {
        words = mixed(plus(words, block));
    }
    if !rest.is_empty() {
        words = finished(plus(words, rest));
    }
    (words[2], words[1])
}

/// Adds up to twelve bytes as three little-endian words; what is missing is zero.
fn plus(mut words: [u32; 3], bytes: &[u8]) -> [u32; 3] {
    for (place, byte) in bytes.iter().enumerate() {
        words[place / 4] = words[place / 4].wrapping_add(u32::from(*byte) << (place % 4 * 8));
    }
    words
}

fn mixed([mut a, mut b, mut c]: [u32; 3]) -> [u32; 3] {
    for bits in [4, 6, 8, 16, 19, 4] {
        a = a.wrapping_sub(c) ^ c.rotate_left(bits);
        c = c.wrapping_add(b);
        [a, b, c] = [b, c, a];
    }
    [a, b, c]
}

fn finished([mut a, mut b, mut c]: [u32; 3]) -> [u32; 3] {
    for bits in [14, 11, 25, 16, 4, 14, 24] {
        c = (c ^ b).wrapping_sub(b.rotate_left(bits));
        [a, b, c] = [b, c, a];
    }
    // Seven turns are two rounds and one step.
    [b, c, a] = [a, b, c];
    [a, b, c]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From `PartitionResolverTests.cs` of azure-sdk-for-net.
    #[test]
    fn a_keys_hash_is_that_of_azures_sdks() {
        for (key, expected) in [
            ("7", -15263),
            ("131", 30562),
            ("7149583486996073602", 12977),
            ("FWfAT", -22341),
            ("sOdeEAsyQoEuEFPGerWO", -6503),
            ("FAyAIctPeCgmiwLKbJcyswoHglHVjQdvtBowLACDNORsYvOcLddNJYDmhAVkbyLOrHTKLneMNcbgWVlasVywOByANjs", 5226),
            ("!c*_!I@1^c", 15372),
            ("p4*!jioeO/z-!-;w:dh", -3104),
            ("$0cb", 26269),
            ("-4189260826195535198", 453),
        ] {
            assert_eq!(hash(key), expected, "{key}");
        }
    }

    #[test]
    fn every_key_has_a_place_among_any_number_of_partitions() {
        for partitions in 1..=32 {
            assert!(["7", "FWfAT", "", "$0cb"].iter().all(|key| index(key, partitions) < partitions));
        }
    }
}
