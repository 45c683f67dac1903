//! Which key stands where, with as little reading as can be.
//!
//! Events nearly always have the same keys in the same order, written the same way. So for each key is remembered what
//! followed it: from the comma over the next key and the colon to its value's first byte. Where the same bytes stand
//! there again, one comparison has read the key. Objects that leave out what is null have a few followers for each key.
//! Only where none of them stands there is a key read and looked up.

use std::collections::HashMap;

use super::grammar::{Fault, Json, unescape};
use crate::columns::DecodedChunk;

/// A key of the contract, by its place there; above those, keys that it does not name.
pub(super) type KeyId = u32;

/// Of the name of an unknown key as much is kept.
const KEPT_NAME_BYTES: usize = 200;

/// The keys of one chunk.
#[derive(Debug)]
pub(super) struct Keys<'a> {
    json: Json<'a>,
    /// By name, unescaped.
    known: &'a HashMap<Vec<u8>, KeyId>,
    /// What followed the start of the object, and then each key; the most frequent ones wander to the front.
    followers: Vec<Followers>,
    /// Of those without a name of their own there may be many; they are one key.
    nameless: KeyId,
    /// The keys after that one.
    unknown: Vec<Vec<u8>>,
    unknown_ids: HashMap<Vec<u8>, KeyId>,
    /// How many of the unknown ones stand in a row that is an object.
    confirmed: usize,
}

type Followers = [Follower; 4];

const NO_FOLLOWERS: Followers = [Follower::NONE; 4];

/// What is expected after a key.
#[derive(Clone, Copy, Debug)]
struct Follower {
    /// From the comma (or the opening brace) to the value; empty where nothing is expected.
    start: usize,
    length: usize,
    /// The first sixteen bytes of it, and the bits of those that there are.
    head: u128,
    mask: u128,
    key: KeyId,
}

impl Follower {
    /// Equals no bytes.
    const NONE: Self = Self { start: 0, length: 0, head: 1, mask: 0, key: 0 };
}

impl<'a> Keys<'a> {
    pub fn new(json: Json<'a>, known: &'a HashMap<Vec<u8>, KeyId>) -> Self {
        Self {
            json,
            known,
            followers: vec![NO_FOLLOWERS; known.len() + 2],
            nameless: known.len() as KeyId,
            unknown: Vec::new(),
            unknown_ids: HashMap::new(),
            confirmed: 0,
        }
    }

    /// The key that follows `previous` (`None`: the start of the object) and where its value begins; at `at` stands the
    /// comma or the opening brace.
    #[inline(always)]
    pub fn next(&mut self, at: usize, previous: Option<KeyId>) -> Result<(KeyId, usize), Fault> {
        let place = previous.map_or(0, |key| key as usize + 1);
        match self.value_after(at, &self.followers[place][0]) {
            Some(value_at) => Ok((self.followers[place][0].key, value_at)),
            None => self.next_unusual(at, place),
        }
    }

    #[inline(never)]
    fn next_unusual(&mut self, at: usize, place: usize) -> Result<(KeyId, usize), Fault> {
        for index in 1..NO_FOLLOWERS.len() {
            let follower = self.followers[place][index];
            if let Some(value_at) = self.value_after(at, &follower) {
                self.followers[place].swap(index - 1, index);
                return Ok((follower.key, value_at));
            }
        }
        self.read(at, place)
    }

    /// Where the value begins, if it is this follower that stands at `at`.
    #[inline(always)]
    fn value_after(&self, at: usize, follower: &Follower) -> Option<usize> {
        let head = self.json.bytes.get(at..)?.first_chunk::<16>()?;
        let is_equal = u128::from_le_bytes(*head) & follower.mask == follower.head
            && (follower.length <= 16 || self.rest_is_equal(at, follower));
        // There may be more blanks this time.
        is_equal.then(|| self.json.blanks(at + follower.length))
    }

    #[inline(never)]
    fn rest_is_equal(&self, at: usize, follower: &Follower) -> bool {
        let bytes = self.json.bytes;
        bytes.get(at + 16..at + follower.length) == Some(&bytes[follower.start + 16..follower.start + follower.length])
    }

    #[inline(never)]
    fn read(&mut self, start: usize, place: usize) -> Result<(KeyId, usize), Fault> {
        let json = self.json;
        let text = json.key_text(json.blanks(start + 1))?;
        let value_at = json.colon(text.end + 1)?;
        let raw = &json.bytes[text.start..text.end];
        let key = if text.escaped {
            let mut name = Vec::new();
            unescape(raw, &mut name);
            self.look_up(&name)
        } else {
            self.look_up(raw)
        };
        let length = value_at - start;
        let mut head = [0; 16];
        let kept = length.min(16);
        head[..kept].copy_from_slice(&json.bytes[start..start + kept]);
        let mask = if kept == 16 { u128::MAX } else { (1 << (kept * 8)) - 1 };
        let [.., last] = &mut self.followers[place];
        *last = Follower { start, length, head: u128::from_le_bytes(head), mask, key };
        Ok((key, value_at))
    }

    fn look_up(&mut self, name: &[u8]) -> KeyId {
        if let Some(key) = self.known.get(name) {
            return *key;
        }
        let name = shortened(name);
        if let Some(key) = self.unknown_ids.get(&name) {
            return *key;
        }
        if self.unknown.len() == DecodedChunk::MAX_UNKNOWN_KEYS {
            return self.nameless;
        }
        self.unknown.push(name.clone());
        let key = self.nameless + self.unknown.len() as KeyId;
        self.unknown_ids.insert(name, key);
        self.followers.push(NO_FOLLOWERS);
        key
    }

    /// The row was an object: the keys in it are those of the file.
    #[inline(always)]
    pub fn confirm(&mut self) {
        self.confirmed = self.unknown.len();
    }

    /// The row was none: keys that it alone has are none.
    #[cold]
    pub fn forget_unconfirmed(&mut self) {
        if self.unknown.len() == self.confirmed {
            return;
        }
        for name in self.unknown.drain(self.confirmed..) {
            self.unknown_ids.remove(&name);
        }
        let last_kept = self.nameless + self.confirmed as KeyId;
        self.followers.truncate(last_kept as usize + 2);
        for follower in self.followers.as_flattened_mut() {
            if follower.key == self.nameless || follower.key > last_kept {
                *follower = Follower::NONE;
            }
        }
    }

    /// The names of the keys that the contract does not have, sorted.
    pub fn into_unknown(self) -> Vec<String> {
        let mut names: Vec<String> =
            self.unknown.into_iter().map(|name| String::from_utf8_lossy(&name).into_owned()).collect();
        names.sort_unstable();
        names
    }
}

/// A name as long as messages need it, and so that few of them cannot fill the memory.
fn shortened(name: &[u8]) -> Vec<u8> {
    if name.len() <= KEPT_NAME_BYTES {
        return name.to_vec();
    }
    let is_boundary = |at: &usize| name[*at] & 0xc0 != 0x80;
    let end = (0..=KEPT_NAME_BYTES).rev().find(is_boundary).unwrap_or(0);
    [&name[..end], "…".as_bytes()].concat()
}
