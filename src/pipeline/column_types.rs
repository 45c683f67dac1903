//! The types of columns, by their names in pipeline.toml and by those of other systems.

use millrace_decode::contract::{ColumnType, DecimalType};

use super::faults::{Report, listed, nearest};
use super::section::Found;

const PLAIN_TYPES: [ColumnType; 7] = [
    ColumnType::String,
    ColumnType::Int64,
    ColumnType::Float64,
    ColumnType::Bool,
    ColumnType::Date,
    ColumnType::Timestamp,
    ColumnType::Json,
];

/// Every type, as messages list them.
const TYPES: [&str; 8] = ["string", "int64", "float64", "decimal(p,s)", "bool", "date", "timestamp", "json"];

/// What people write who think in another system's types, behind what it is here.
const OTHER_NAMES: [(&str, &[&str]); 10] = [
    (
        "string",
        &["text", "char", "nchar", "varchar", "nvarchar", "str", "utf8", "uuid", "uniqueidentifier", "time", "binary"],
    ),
    (
        "int64",
        &[
            "int", "integer", "int8", "int16", "int32", "uint8", "uint16", "uint32", "tinyint", "smallint", "bigint",
            "short", "long", "i32", "i64",
        ],
    ),
    ("float64", &["float", "double", "double precision", "float32", "real", "f32", "f64"]),
    ("decimal(18,2)", &["dec", "decimal128", "bigdecimal", "numeric", "number", "fixed"]),
    ("decimal(19,4)", &["money", "currency"]),
    ("decimal(10,4)", &["smallmoney"]),
    ("bool", &["boolean", "bit", "logical"]),
    ("date", &["date32"]),
    (
        "timestamp",
        &["datetime", "datetime2", "datetime64", "datetimeoffset", "smalldatetime", "timestamptz", "instant"],
    ),
    ("json", &["jsonb", "object", "struct", "map", "array", "list", "variant"]),
];

const EXAMPLE: &str = "write `decimal(18,2)` for 18 digits in all, 2 of them behind the point";

/// What is wrong with a type, and what to write instead.
type Wrong = (String, String);

/// `None` if there is no such type, which is reported.
pub(super) fn column_type(report: &Report<'_>, place: &str, written: Found<&str>) -> Option<ColumnType> {
    match read(written.value.trim()) {
        Ok(column_type) => Some(column_type),
        Err((problem, remedy)) => {
            report.fault(written.line, place, problem, remedy);
            None
        }
    }
}

fn read(written: &str) -> Result<ColumnType, Wrong> {
    let (stem, brackets) = match written.find('(') {
        Some(bracket) => (written[..bracket].trim_end(), &written[bracket..]),
        None => (written, ""),
    };
    if stem == "decimal" {
        return decimal(written, brackets).map(ColumnType::Decimal);
    }
    match PLAIN_TYPES.into_iter().find(|plain| plain.name() == stem) {
        Some(plain) if brackets.is_empty() => Ok(plain),
        Some(_) => Err((format!("type `{stem}` takes nothing in brackets"), format!("write `{stem}`"))),
        None => Err((format!("unknown type `{written}`"), remedy_for_unknown(stem, brackets))),
    }
}

fn remedy_for_unknown(stem: &str, brackets: &str) -> String {
    let is_ours = |(_, others): &&(&str, &[&str])| others.iter().any(|other| stem.eq_ignore_ascii_case(other));
    let known = PLAIN_TYPES.map(ColumnType::name).into_iter().chain(["decimal"]);
    let ours = match OTHER_NAMES.iter().find(is_ours) {
        Some((ours, _)) => Some(*ours),
        None => nearest(stem, known).map(|ours| if ours == "decimal" { "decimal(18,2)" } else { ours }),
    };
    match (ours, decimal(stem, brackets)) {
        // The digits that were written are kept where they are possible.
        (Some(ours), Ok(digits)) if ours.starts_with("decimal") => {
            format!("did you mean `{}`?", ColumnType::Decimal(digits))
        }
        (Some(ours), _) => format!("did you mean `{ours}`?"),
        (None, _) => format!("types are {}", listed(TYPES)),
    }
}

/// `brackets` hold the digits: `(18,2)`, with blanks where one likes.
fn decimal(written: &str, brackets: &str) -> Result<DecimalType, Wrong> {
    let wrong = |problem: &str, remedy: &str| Err((format!("type `{written}` {problem}"), remedy.to_owned()));
    if brackets.is_empty() {
        return wrong("does not say how many digits there are", EXAMPLE);
    }
    let Some(inside) = brackets.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) else {
        return wrong("does not end with its closing bracket", EXAMPLE);
    };
    let numbers: Option<Vec<u8>> = inside.split(',').map(|number| number.trim().parse().ok()).collect();
    let most = DecimalType::MAX_PRECISION;
    if let Some([precision, scale]) = numbers.as_deref()
        && let Some(decimal) = DecimalType::new(*precision, *scale)
    {
        return Ok(decimal);
    }
    match numbers.as_deref() {
        Some([0, _]) => wrong("has no digits", EXAMPLE),
        Some([precision, scale]) if *precision > most => {
            let remedy = format!("write `decimal({most},{})`, or `float64` if it need not be exact", most.min(*scale));
            wrong("has more than 38 digits, and databases hold no more", &remedy)
        }
        Some([precision, scale]) if *scale <= most => {
            let remedy = format!("the first number counts them all: write `decimal({scale},{precision})`");
            wrong("has more digits behind the point than in all", &remedy)
        }
        Some([_, _]) => wrong("has more digits behind the point than in all", EXAMPLE),
        Some([precision]) if (1..=most).contains(precision) => {
            let remedy = format!("write `decimal({precision},0)` for whole numbers");
            wrong("does not say how many of its digits stand behind the point", &remedy)
        }
        _ => wrong("must have two whole numbers in its brackets, with a comma between them", EXAMPLE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decimal_may_have_blanks_in_it() {
        let cents = ColumnType::Decimal(DecimalType { precision: 18, scale: 2 });
        for written in ["decimal(18,2)", "decimal(18, 2)", "decimal ( 18 , 2 )", " decimal(18,2) "] {
            assert_eq!(read(written.trim()), Ok(cents), "{written}");
        }
        assert!(read("decimal(38,38)").is_ok() && read("decimal(1,0)").is_ok());
    }

    #[test]
    fn every_other_name_leads_to_a_type() {
        for (ours, others) in OTHER_NAMES {
            assert!(read(ours).is_ok(), "{ours}");
            for other in others {
                let (problem, remedy) = read(&other.to_uppercase()).unwrap_err();
                assert_eq!(problem, format!("unknown type `{}`", other.to_uppercase()));
                assert_eq!(remedy, format!("did you mean `{ours}`?"));
            }
        }
    }
}
