//! One connection's conversation: batches, parameterised statements, rows. It knows no table.

use futures::TryStreamExt;
use tiberius::{Client, ColumnData, IntoSql, Query, Row};
use tokio::net::TcpStream;
use tokio_util::compat::Compat;

use super::errors::{Fault, SqlError, failed};

pub type Connection = Client<Compat<TcpStream>>;

/// A value for `@P1` and so on.
pub struct Parameter<'a>(pub ColumnData<'a>);

impl<'a> IntoSql<'a> for Parameter<'a> {
    fn into_sql(self) -> ColumnData<'a> {
        self.0
    }
}

pub struct Session {
    connection: Connection,
}

impl Session {
    pub fn new(connection: Connection) -> Self {
        Session { connection }
    }

    /// Sets what every session of ours has.
    pub async fn prepare(&mut self) -> Result<(), Fault> {
        self.batch(include_str!("sql/session.sql"), "preparing the connection").await
    }

    pub async fn is_alive(&mut self) -> Result<(), SqlError> {
        self.connection.simple_query("SELECT 1").await?.into_results().await?;
        Ok(())
    }

    /// For a bulk load, which is a conversation of its own.
    pub fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// A plain batch: what it makes lives as long as the session, temporary tables too.
    pub async fn batch(&mut self, sql: &str, operation: &'static str) -> Result<(), Fault> {
        let answer = self.connection.simple_query(sql).await.map_err(failed(operation))?;
        answer.into_results().await.map_err(failed(operation))?;
        Ok(())
    }

    /// One or more statements with parameters, which answer no rows.
    pub async fn run(
        &mut self,
        sql: &str,
        parameters: Vec<ColumnData<'_>>,
        operation: &'static str,
    ) -> Result<(), Fault> {
        query(sql, parameters).execute(&mut self.connection).await.map_err(failed(operation))?;
        Ok(())
    }

    /// The rows of the first answer; for few.
    pub async fn rows(
        &mut self,
        sql: &str,
        parameters: Vec<ColumnData<'_>>,
        operation: &'static str,
    ) -> Result<Vec<Row>, Fault> {
        let answer = query(sql, parameters).query(&mut self.connection).await.map_err(failed(operation))?;
        answer.into_first_result().await.map_err(failed(operation))
    }

    /// Each row as it comes, so that memory does not grow with them.
    pub async fn for_each_row(
        &mut self,
        sql: &str,
        operation: &'static str,
        mut each: impl FnMut(Row) -> Result<(), SqlError>,
    ) -> Result<(), Fault> {
        let answer = self.connection.simple_query(sql).await.map_err(failed(operation))?;
        let mut rows = answer.into_row_stream();
        while let Some(row) = rows.try_next().await.map_err(failed(operation))? {
            each(row).map_err(failed(operation))?;
        }
        Ok(())
    }

    /// A number that one row of one column answers.
    pub async fn number(
        &mut self,
        sql: &str,
        parameters: Vec<ColumnData<'_>>,
        operation: &'static str,
    ) -> Result<i64, Fault> {
        let rows = self.rows(sql, parameters, operation).await?;
        let number = rows.first().map(|row| super::values::Fields::of(row).number()).transpose();
        number.map_err(failed(operation))?.ok_or_else(|| {
            let error = SqlError::NotOurs { found: "no answer".to_owned(), expected: "a number" };
            Fault::Sql { operation, error }
        })
    }
}

/// The client sends a null of a text, a time or a decimal without its type, which not every server that speaks the protocol
/// takes: such a null stands in the statement itself.
fn query<'a>(sql: &'a str, parameters: Vec<ColumnData<'a>>) -> Query<'a> {
    let nulls: Vec<usize> =
        (1..).zip(&parameters).filter(|(_, value)| is_null(value)).map(|(number, _)| number).collect();
    let mut query = if nulls.is_empty() { Query::new(sql) } else { Query::new(with_nulls(sql, &nulls)) };
    for parameter in parameters {
        let keeps_its_number = if is_null(&parameter) { ColumnData::I64(None) } else { parameter };
        query.bind(Parameter(keeps_its_number));
    }
    query
}

fn is_null(value: &ColumnData<'_>) -> bool {
    matches!(
        value,
        ColumnData::String(None)
            | ColumnData::Binary(None)
            | ColumnData::Date(None)
            | ColumnData::DateTime2(None)
            | ColumnData::Numeric(None)
    )
}

/// `NULL` for each `@P<number>` of these. What stands in brackets is a name.
fn with_nulls(sql: &str, nulls: &[usize]) -> String {
    let mut filled = String::with_capacity(sql.len());
    let mut rest = sql;
    while let Some(at) = rest.find(['[', '@']) {
        filled.push_str(&rest[..at]);
        rest = &rest[at..];
        let length = match rest.strip_prefix("@P") {
            Some(after) => 2 + after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len()),
            None if rest.starts_with('[') => rest.find(']').map_or(rest.len(), |end| end + 1),
            None => 1,
        };
        let (token, after) = rest.split_at(length);
        let number = token.strip_prefix("@P").and_then(|digits| digits.parse().ok());
        let is_null = number.is_some_and(|number| nulls.contains(&number));
        filled.push_str(if is_null { "NULL" } else { token });
        rest = after;
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_null_takes_the_place_of_its_own_parameter_only() {
        let sql = "INSERT INTO t VALUES (@P1, @P10, @P100), (@P10,@P2);";
        assert_eq!(with_nulls(sql, &[10, 2]), "INSERT INTO t VALUES (@P1, NULL, @P100), (NULL,NULL);");
        assert_eq!(with_nulls("SELECT @P1", &[1]), "SELECT NULL");
        let sql = "DECLARE @result int; INSERT INTO #t ([a@P1], [b]) VALUES (@P2, @P1)";
        assert_eq!(with_nulls(sql, &[1]), "DECLARE @result int; INSERT INTO #t ([a@P1], [b]) VALUES (@P2, NULL)");
    }
}
