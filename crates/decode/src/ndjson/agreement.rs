//! Properties of cutter and decoder together: however a file arrives and however it is cut, the same rows come out, the
//! good ones and the bad ones; and every line is judged and read as serde_json does it.

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use bytes::Bytes;
use proptest::prelude::*;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::*;
use crate::columns::{DecodedChunk, Values};
use crate::contract::{Column, ColumnType, ValueRules};

const TYPES: [ColumnType; 5] =
    [ColumnType::String, ColumnType::Int64, ColumnType::Json, ColumnType::Float64, ColumnType::Bool];

/// `c0` to `c4`, of which `c1` is required, then `d`, which is known, required and not needed.
fn contract() -> Vec<Column> {
    let optional = |column: Column| Column { required: column.name == "c1", ..column };
    let needed = TYPES.iter().enumerate().map(|(index, column_type)| Column::new(format!("c{index}"), *column_type));
    needed.map(optional).chain([Column::new("d", ColumnType::String)]).collect()
}

/// Everything that a file comes to, with rows counted from its start.
#[derive(Debug, Default, PartialEq)]
struct Outcome {
    /// A good row's values as text; `None` is null.
    good: Vec<(u32, Vec<Option<String>>)>,
    bad: Vec<(u32, Vec<u8>, String)>,
    rows: u32,
    unknown_keys: BTreeSet<String>,
}

impl Outcome {
    fn add(&mut self, decoder: &Decoder, decoded: DecodedChunk) {
        assert!(decoded.columns.iter().all(|column| column.values.len() == decoded.good_row_count()));
        for index in 0..decoded.good_row_count() {
            let values = decoded.columns.iter().map(|column| {
                let text = match &column.values {
                    Values::String { views, unescaped } => {
                        String::from_utf8(views[index].text(&decoded.bytes, unescaped).into_owned()).unwrap()
                    }
                    Values::Int64(values) => values[index].to_string(),
                    Values::Float64(values) => values[index].to_string(),
                    Values::Bool(values) => values[index].to_string(),
                    other => panic!("no such column here: {other:?}"),
                };
                (!column.is_null(index)).then_some(text)
            });
            self.good.push((self.rows + decoded.row_of(index), values.collect()));
        }
        let bad_rows: Vec<u32> = decoded.bad.iter().map(|bad| bad.row).collect();
        let raw = decoder.raw_rows(&decoded.bytes, &bad_rows);
        for (bad, raw) in decoded.bad.iter().zip(raw) {
            assert_eq!(bad.raw, raw);
            self.bad.push((self.rows + bad.row, raw, bad.reason.clone()));
        }
        self.rows += decoded.row_count;
        self.unknown_keys.extend(decoded.unknown_keys);
    }
}

fn decode(pushes: &[&[u8]], target_bytes: usize) -> Outcome {
    let contract = contract();
    let rules = ValueRules { null_values: vec!["NA".to_owned()], ..ValueRules::default() };
    let decoder = Decoder::new(&rules, &contract, &contract[..TYPES.len()]).unwrap();
    let mut outcome = Outcome::default();
    let mut cutter = RowCutter::new(target_bytes, DEFAULT_MAX_ROW_BYTES);
    let mut out = |chunk: Bytes| {
        outcome.add(&decoder, decoder.decode(chunk));
        Ok::<(), CutError>(())
    };
    for push in pushes {
        cutter.push(push, &mut out).unwrap();
    }
    cutter.finish(&mut out).unwrap();
    outcome
}

/// The entries of an object, doubled ones too.
struct Entries(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

/// What serde_json and the standard library make of a line.
enum Expected {
    /// Nothing can be said: a number is beyond float64, where serde_json stops.
    Unknown,
    NoObject,
    Misfit(BTreeSet<String>),
    Good(Vec<Option<String>>, BTreeSet<String>),
}

fn read_slowly(line: &[u8]) -> Expected {
    match serde_json::from_slice::<serde_json::Value>(line) {
        Ok(value) if value.is_object() => {}
        Err(error) if error.to_string().contains("number out of range") => return Expected::Unknown,
        _ => return Expected::NoObject,
    }
    let Entries(entries) = serde_json::from_slice(line).unwrap();
    let contract = contract();
    let is_known = |name: &str| contract.iter().any(|column| column.from == name);
    let unknown = entries.iter().map(|(name, _)| name.clone()).filter(|name| !is_known(name)).collect();
    let mut known = HashMap::new();
    let mut doubled = false;
    for (name, value) in &entries {
        doubled |= is_known(name) && known.insert(name.as_str(), value.get()).is_some();
    }
    if doubled || !known.contains_key("c1") || !known.contains_key("d") {
        return Expected::Misfit(unknown);
    }
    let value = |column: &Column| match known.get(column.from.as_str()) {
        None => Ok(None),
        Some(json) => value_of(column.column_type, json),
    };
    match contract[..TYPES.len()].iter().map(value).collect() {
        Ok(values) => Expected::Good(values, unknown),
        Err(()) => Expected::Misfit(unknown),
    }
}

fn value_of(column_type: ColumnType, json: &str) -> Result<Option<String>, ()> {
    let string = serde_json::from_str::<String>(json).ok();
    if json == "null" || string.as_deref() == Some("NA") {
        return Ok(None);
    }
    let number = string.as_deref().unwrap_or(json);
    let number = if string.is_some() { number.trim_matches([' ', '\t']) } else { number };
    let value = match column_type {
        ColumnType::String => string.unwrap_or_else(|| json.to_owned()),
        ColumnType::Json => json.to_owned(),
        ColumnType::Int64 => number.parse::<i64>().map_err(drop)?.to_string(),
        ColumnType::Float64 => number.parse::<f64>().ok().filter(|number| number.is_finite()).ok_or(())?.to_string(),
        ColumnType::Bool => match number.to_lowercase().as_str() {
            "true" | "1" => "true".to_owned(),
            "false" | "0" => "false".to_owned(),
            _ => return Err(()),
        },
        other => panic!("no such column here: {other}"),
    };
    Ok(Some(value))
}

fn is_blank(line: &[u8]) -> bool {
    line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r'))
}

fn blanks() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["", "", "", "", "", " ", "\t", "\r", "  "])
}

fn string() -> impl Strategy<Value = String> {
    let pieces = vec![
        "",
        "a",
        "NA",
        "12",
        "-7",
        "2.5",
        "true",
        " ",
        "ü",
        "€ is three bytes long",
        "a text of more than sixteen bytes",
        "😀",
        "\\n",
        "\\\"",
        "\\\\",
        "\\/",
        "\\u00e4",
        "\\u0000",
        "\\ud83d\\ude00",
        "\\uD83D",
        "\\ude00",
        "\\x",
        "\\u12",
        "\u{1}",
    ];
    // What is wrong stands at the end, and is seldom taken.
    let index = prop_oneof![40 => 0..pieces.len() - 5, 1 => 0..pieces.len()];
    let piece = index.prop_map(move |index| pieces[index]);
    prop::collection::vec(piece, 0..4).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
}

fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        3 => string(),
        3 => "-?(0|[1-9][0-9]{0,3})",
        1 => "-?(0|[1-9][0-9]{0,19})([.][0-9]{1,3})?([eE][+-]?[0-9]{1,2})?",
        2 => prop::sample::select(vec!["true", "false", "null", "0", "1"]).prop_map(str::to_owned),
        1 => prop::sample::select(vec!["01", "+1", ".5", "1.", "nul", "NaN", "1e999", "", "'a'"]).prop_map(str::to_owned),
    ];
    leaf.prop_recursive(4, 12, 3, |value| {
        let array = (prop::collection::vec(value.clone(), 0..4), blanks())
            .prop_map(|(values, blanks)| format!("[{blanks}{}]", values.join(&format!("{blanks},"))));
        prop_oneof![array, object(string(), value)]
    })
}

fn object(key: impl Strategy<Value = String>, value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let entry = (key, blanks(), blanks(), value).prop_map(|(key, a, b, value)| format!("{key}{a}:{b}{value}"));
    (prop::collection::vec(entry, 0..4), blanks(), blanks())
        .prop_map(|(entries, a, b)| format!("{{{a}{}{b}}}", entries.join(&format!("{a},{b}"))))
}

/// A row that mostly has what the contract wants.
fn row() -> impl Strategy<Value = String> {
    let key = prop::sample::select(vec![
        "\"c0\"",
        "\"c2\"",
        "\"c3\"",
        "\"c4\"",
        "\"\\u0063\\u0030\"",
        "\"z\"",
        "\"y\"",
        "\"ä\\n\"",
        "\"an unknown key of more than sixteen bytes\"",
        "\"an unknown key of more than sixteen bytez\"",
    ]);
    let entry = (key, value()).prop_map(|(key, value)| format!("{key}:{value}"));
    let mandatory = (0..1000_i32).prop_map(|number| format!("\"c1\":{number},\"d\":\"x\""));
    let usual = (0..1000_i32, string(), any::<bool>())
        .prop_map(|(number, text, c4)| format!("{{\"c1\":{number},\"d\":\"x\",\"c0\":{text},\"c3\":1.5,\"c4\":{c4}}}"));
    let unusual =
        (mandatory, prop::collection::vec(entry, 0..4), 0_usize..5).prop_map(|(mandatory, mut entries, at)| {
            entries.insert(at.min(entries.len()), mandatory);
            format!("{{{}}}", entries.join(","))
        });
    let any = object(prop::sample::select(vec!["\"c0\"", "\"c1\"", "\"d\"", "\"z\""]).prop_map(str::to_owned), value());
    prop_oneof![6 => usual, 4 => unusual, 1 => any, 1 => value()]
}

fn file() -> impl Strategy<Value = Vec<u8>> {
    let end = prop::sample::select(vec!["\n", "\n", "\n", "\r\n", "\n\n", " \t\r\n"]);
    let line = (row(), end).prop_map(|(row, end)| row + end);
    let damage = prop::collection::vec((any::<prop::sample::Index>(), 0_u8..4, any::<u8>()), 0..3);
    (prop::collection::vec(line, 0..12), damage).prop_map(|(lines, damage)| {
        let mut file = lines.concat().into_bytes();
        for (place, kind, byte) in damage {
            if file.is_empty() {
                break;
            }
            let at = place.index(file.len());
            match kind {
                0 => file[at] = byte,
                1 => drop(file.remove(at)),
                2 => file.insert(at, b"\"\\{}[],: \n"[usize::from(byte) % 10]),
                _ => file.truncate(at.max(file.len() / 2)),
            }
        }
        file
    })
}

fn split<'a>(file: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn every_line_is_read_as_serde_json_reads_it(file in file()) {
        let outcome = decode(&[&file], 1 << 20);
        let mut good = outcome.good.iter().peekable();
        let mut bad = outcome.bad.iter().peekable();
        let mut unknown_keys = BTreeSet::new();
        let mut all_known = true;
        let lines = file.split(|byte| *byte == b'\n').filter(|line| !is_blank(line));
        let mut rows = 0;
        for (row, line) in (0..).zip(lines) {
            rows += 1;
            let values = good.next_if(|(good, _)| *good == row).map(|(_, values)| values);
            let reason = bad.next_if(|(bad, ..)| *bad == row).map(|(_, _, reason)| reason.as_str());
            match read_slowly(line) {
                Expected::Unknown => all_known = false,
                Expected::NoObject => {
                    let reason = reason.unwrap_or("none");
                    prop_assert!(reason.starts_with("not a JSON object: ") || reason.starts_with("not valid UTF-8"));
                }
                Expected::Misfit(unknown) => {
                    let reason = reason.unwrap_or("none");
                    let reasons = ["column `c", "lacks `", "has `"];
                    prop_assert!(reasons.iter().any(|start| reason.starts_with(start)), "{:?}", reason);
                    unknown_keys.extend(unknown);
                }
                Expected::Good(expected, unknown) => {
                    prop_assert_eq!(values, Some(&expected), "{:?}", reason);
                    unknown_keys.extend(unknown);
                }
            }
        }
        prop_assert_eq!(outcome.rows, rows);
        prop_assert!(!all_known || outcome.unknown_keys == unknown_keys);
    }

    #[test]
    fn any_cut_gives_the_same_rows(
        file in file(),
        cuts in prop::collection::vec(0_usize..200, 0..8),
        target_bytes in 1_usize..400,
    ) {
        let whole = decode(&[&file], 1 << 20);
        prop_assert_eq!(whole.rows as usize, whole.good.len() + whole.bad.len());
        prop_assert_eq!(whole, decode(&split(&file, &cuts), target_bytes));
    }

    #[test]
    fn no_bytes_make_it_panic(file in prop::collection::vec(any::<u8>(), 0..300), target_bytes in 1_usize..100) {
        decode(&[&file], target_bytes);
    }

    #[test]
    fn no_tokens_make_it_panic(file in "([\"{}:,\\[\\]\\\\u019e.+ \n\r-]|\"c1\"|\"z\":|true|null|\\\\ud8){0,100}") {
        decode(&[file.as_bytes()], 50);
    }
}
