//! The names that pipeline.toml may give an encoding: those of the WHATWG, and their many labels.

use encoding_rs::{Encoding, X_USER_DEFINED};

/// The names to write in pipeline.toml. Labels such as `latin1` or `cp1252` are understood too; `iso-8859-1` is one of
/// them and means windows-1252, as it does in every browser and in most files that claim it.
pub const ENCODING_NAMES: [&str; 38] = [
    "utf-8",
    "utf-16le",
    "utf-16be",
    "windows-1252",
    "windows-1250",
    "windows-1251",
    "windows-1253",
    "windows-1254",
    "windows-1255",
    "windows-1256",
    "windows-1257",
    "windows-1258",
    "windows-874",
    "iso-8859-2",
    "iso-8859-3",
    "iso-8859-4",
    "iso-8859-5",
    "iso-8859-6",
    "iso-8859-7",
    "iso-8859-8",
    "iso-8859-8-i",
    "iso-8859-10",
    "iso-8859-13",
    "iso-8859-14",
    "iso-8859-15",
    "iso-8859-16",
    "ibm866",
    "koi8-r",
    "koi8-u",
    "macintosh",
    "x-mac-cyrillic",
    "gbk",
    "gb18030",
    "big5",
    "euc-jp",
    "iso-2022-jp",
    "shift_jis",
    "euc-kr",
];

/// Why no file can be read in an encoding of that name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    #[error("unknown encoding `{label}`{}", did_you_mean(.nearest))]
    Unknown { label: String, nearest: Option<&'static str> },
    /// The WHATWG knows the name only to refuse it, as bytes of such files could pass for others.
    #[error("encoding `{label}` is not read; ask the sender for UTF-8")]
    Refused { label: String },
}

/// The encoding that a label means, in any case and with blanks around it.
pub fn encoding_of_label(label: &str) -> Result<&'static Encoding, LabelError> {
    let Some(encoding) = Encoding::for_label(label.as_bytes()) else {
        return Err(LabelError::Unknown { label: label.to_owned(), nearest: nearest(label) });
    };
    if encoding == encoding_rs::REPLACEMENT || encoding == X_USER_DEFINED {
        return Err(LabelError::Refused { label: label.to_owned() });
    }
    Ok(encoding)
}

fn did_you_mean(nearest: &Option<&str>) -> String {
    match nearest {
        Some(nearest) => format!("; did you mean `{nearest}`?"),
        None => String::new(),
    }
}

/// The name that is a few letters away.
fn nearest(label: &str) -> Option<&'static str> {
    const LONGEST: usize = 32;
    let label = label.trim().to_ascii_lowercase();
    if label.len() > LONGEST {
        return None;
    }
    let near = (label.chars().count() / 3).min(3);
    ENCODING_NAMES
        .into_iter()
        .map(|name| (strsim::osa_distance(name, &label), name))
        .filter(|(distance, _)| *distance <= near)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_name_is_an_encoding_of_that_name() {
        for name in ENCODING_NAMES {
            assert!(encoding_of_label(name).unwrap().name().eq_ignore_ascii_case(name), "{name}");
        }
    }

    #[test]
    fn labels_are_understood_as_browsers_understand_them() {
        for (label, name) in [
            ("UTF-8", "UTF-8"),
            ("utf8", "UTF-8"),
            ("iso-8859-1", "windows-1252"),
            ("latin1", "windows-1252"),
            ("ascii", "windows-1252"),
            (" CP1252 ", "windows-1252"),
            ("utf-16", "UTF-16LE"),
            ("sjis", "Shift_JIS"),
        ] {
            assert_eq!(encoding_of_label(label).unwrap().name(), name, "{label}");
        }
    }

    #[test]
    fn an_unknown_label_is_refused_with_the_nearest_name() {
        let message = |label: &str| encoding_of_label(label).unwrap_err().to_string();
        assert_eq!(message("utf-16-le"), "unknown encoding `utf-16-le`; did you mean `utf-16le`?");
        assert_eq!(message("windows1252"), "unknown encoding `windows1252`; did you mean `windows-1252`?");
        assert_eq!(message("ebcdic"), "unknown encoding `ebcdic`");
        assert_eq!(message(""), "unknown encoding ``");
    }

    #[test]
    fn an_encoding_that_would_hide_damage_is_refused() {
        for label in ["replacement", "hz-gb-2312", "iso-2022-kr", "x-user-defined"] {
            assert_eq!(
                encoding_of_label(label).unwrap_err().to_string(),
                format!("encoding `{label}` is not read; ask the sender for UTF-8")
            );
        }
    }
}
