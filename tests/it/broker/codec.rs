//! The events of a batch: each is a whole encoded message within a data section, which the AMQP library hands over as bytes.

use fe2o3_amqp::types::messaging::{Body, Message};
use fe2o3_amqp::types::primitives::{Binary, OrderedMap, SimpleValue, Symbol, Timestamp, Uuid, Value};

use super::hubs::Content;

/// Of messages whose data sections are messages.
pub const BATCH_FORMAT: u32 = 0x8001_3700;

pub const PARTITION_KEY: &str = "x-opt-partition-key";

/// The partition key of a message, or of a batch's envelope.
pub fn key_of(message: &Message<Body<Value>>) -> Option<String> {
    let annotations = message.message_annotations.as_ref()?;
    annotations.0.iter().find_map(|(key, value)| match (key, value) {
        (fe2o3_amqp::types::messaging::annotations::OwnedKey::Symbol(Symbol(name)), Value::String(key))
            if name == PARTITION_KEY =>
        {
            Some(key.clone())
        }
        _ => None,
    })
}

/// The events that a message carries.
pub fn events_of(message: Message<Body<Value>>, format: u32) -> Option<Vec<Content>> {
    let key = key_of(&message);
    let application_properties = message.application_properties.map(|properties| properties.0).unwrap_or_default();
    let sections: Vec<Vec<u8>> = match message.body {
        Body::Data(sections) => sections.into_iter().map(|section| section.0.into_vec()).collect(),
        Body::Value(_) | Body::Sequence(_) | Body::Empty => return None,
    };
    if format == BATCH_FORMAT {
        return sections.iter().map(|section| decode(section)).collect();
    }
    Some(vec![Content { key, application_properties, body: sections.concat() }])
}

fn decode(mut bytes: &[u8]) -> Option<Content> {
    let mut content = Content::default();
    while !bytes.is_empty() {
        // A section is a described value: 0x00, its descriptor, the value.
        bytes = bytes.strip_prefix(&[0x00])?;
        let descriptor = match value(&mut bytes)? {
            Value::Ulong(descriptor) => descriptor,
            _ => return None,
        };
        match (descriptor, value(&mut bytes)?) {
            (0x72, Value::Map(annotations)) => {
                content.key = annotations.into_iter().find_map(|(name, key)| match (name, key) {
                    (Value::Symbol(Symbol(name)), Value::String(key)) if name == PARTITION_KEY => Some(key),
                    _ => None,
                });
            }
            (0x74, Value::Map(properties)) => {
                for (name, property) in properties {
                    let (Value::String(name), Ok(property)) = (name, SimpleValue::try_from(property)) else {
                        return None;
                    };
                    content.application_properties.insert(name, property);
                }
            }
            (0x75, Value::Binary(body)) => content.body.extend_from_slice(&body),
            _ => {}
        }
    }
    Some(content)
}

/// Takes one value off the front. `None` if there is none that producers use.
fn value(bytes: &mut &[u8]) -> Option<Value> {
    let [code] = take(bytes)?;
    Some(match code {
        0x40 => Value::Null,
        0x41 => Value::Bool(true),
        0x42 => Value::Bool(false),
        0x43 => Value::Uint(0),
        0x44 => Value::Ulong(0),
        0x45 => Value::List(Vec::new()),
        0x50 => Value::Ubyte(u8::from_be_bytes(take(bytes)?)),
        0x51 => Value::Byte(i8::from_be_bytes(take(bytes)?)),
        0x52 => Value::Uint(u8::from_be_bytes(take(bytes)?).into()),
        0x53 => Value::Ulong(u8::from_be_bytes(take(bytes)?).into()),
        0x54 => Value::Int(i8::from_be_bytes(take(bytes)?).into()),
        0x55 => Value::Long(i8::from_be_bytes(take(bytes)?).into()),
        0x56 => Value::Bool(take(bytes)? == [1]),
        0x60 => Value::Ushort(u16::from_be_bytes(take(bytes)?)),
        0x61 => Value::Short(i16::from_be_bytes(take(bytes)?)),
        0x70 => Value::Uint(u32::from_be_bytes(take(bytes)?)),
        0x71 => Value::Int(i32::from_be_bytes(take(bytes)?)),
        0x72 => Value::Float(f32::from_be_bytes(take(bytes)?).into()),
        0x80 => Value::Ulong(u64::from_be_bytes(take(bytes)?)),
        0x81 => Value::Long(i64::from_be_bytes(take(bytes)?)),
        0x82 => Value::Double(f64::from_be_bytes(take(bytes)?).into()),
        0x83 => Value::Timestamp(Timestamp::from_milliseconds(i64::from_be_bytes(take(bytes)?))),
        0x98 => Value::Uuid(Uuid::from(take::<16>(bytes)?)),
        0xa0 | 0xb0 => Value::Binary(Binary::from(sized(bytes, code)?.to_vec())),
        0xa1 | 0xb1 => Value::String(String::from_utf8(sized(bytes, code)?.to_vec()).ok()?),
        0xa3 | 0xb3 => Value::Symbol(Symbol(String::from_utf8(sized(bytes, code)?.to_vec()).ok()?)),
        0xc0 | 0xd0 => Value::List(items(bytes, code)?),
        0xc1 | 0xd1 => {
            let mut map = OrderedMap::new();
            let mut items = items(bytes, code)?.into_iter();
            while let (Some(key), Some(value)) = (items.next(), items.next()) {
                map.insert(key, value);
            }
            Value::Map(map)
        }
        _ => return None,
    })
}

fn items(bytes: &mut &[u8], code: u8) -> Option<Vec<Value>> {
    let mut content = sized(bytes, code)?;
    let count = length(&mut content, code)?;
    (0..count).map(|_| value(&mut content)).collect()
}

/// What stands behind its length.
fn sized<'b>(bytes: &mut &'b [u8], code: u8) -> Option<&'b [u8]> {
    let length = length(bytes, code)?;
    let (content, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(content)
}

/// Codes from 0xa0 and 0xc0 have lengths of one byte, those from 0xb0 and 0xd0 of four.
fn length(bytes: &mut &[u8], code: u8) -> Option<usize> {
    match code & 0x10 {
        0 => Some(u8::from_be_bytes(take(bytes)?).into()),
        _ => usize::try_from(u32::from_be_bytes(take(bytes)?)).ok(),
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*taken)
}
