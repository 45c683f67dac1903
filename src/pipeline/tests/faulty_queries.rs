//! Faulty SQL of summaries.

use super::{check_cases, faults_of_sql};

#[test]
fn a_clause_that_cannot_be_merged_is_refused_by_its_name() {
    let cases = [
        (
            "SELEC carrier",
            "pipeline.toml:15: summary `t`: the SQL cannot be parsed: expected: an SQL statement, found: SELEC; look at column 1 of the SQL's line",
        ),
        (
            "
SELECT carrier,
  COUNT(*) AS n
FROM flights GRUOP BY carrier",
            "pipeline.toml:18: summary `t`: the SQL cannot be parsed: expected: end of statement, found: BY; look at column 20 of the SQL's line",
        ),
        (
            "DELETE FROM flights",
            "pipeline.toml:15: summary `t`: no SELECT stands here; write `SELECT …, COUNT(*) AS n FROM feed GROUP BY …`",
        ),
        (
            "SELECT carrier, COUNT(*) AS n FROM flights GROUP BY carrier; SELECT 1",
            "pipeline.toml:15: summary `t`: 2 statements stand here; write a `[[summary]]` for each SELECT",
        ),
        (
            "SELECT carrier, COUNT(*) AS n FROM flihgts GROUP BY carrier",
            "pipeline.toml:15: summary `t`: FROM names `flihgts`, but this summary's feed is `flights`; did you mean `flights`?",
        ),
        (
            "SELECT carrier, COUNT(*) AS n GROUP BY carrier",
            "pipeline.toml:15: summary `t`: FROM is missing; write `FROM flights`",
        ),
        (
            "SELECT f.carrier, COUNT(*) AS n FROM flights f GROUP BY f.carrier",
            "pipeline.toml:15: summary `t`: FROM gives the feed another name, `f`; write `FROM flights`, and name columns without a table",
        ),
        (
            "SELECT carrier, COUNT(*) AS n FROM flights JOIN planes USING (tail) GROUP BY carrier",
            "pipeline.toml:15: summary `t`: JOIN looks at another table, and a summary counts one feed; join where you read",
        ),
        (
            "SELECT carrier, COUNT(*) AS n FROM flights, planes GROUP BY carrier",
            "pipeline.toml:15: summary `t`: FROM names several tables, and a summary counts one feed; write `FROM flights`; join where you read",
        ),
        (
            "SELECT carrier, COUNT(*) AS n FROM (SELECT * FROM flights) GROUP BY carrier",
            "pipeline.toml:15: summary `t`: FROM holds a subquery, and a summary counts one feed's rows; write `FROM flights`",
        ),
        (
            "WITH x AS (SELECT 1) SELECT carrier, COUNT(*) AS n FROM flights GROUP BY carrier",
            "pipeline.toml:15: summary `t`: WITH names another query, and a summary is one; write the expressions into the SELECT itself; it reads the feed and nothing else",
        ),
        (
            "SELECT carrier, COUNT(*) AS n FROM flights GROUP BY carrier UNION ALL SELECT 1, 2",
            "pipeline.toml:15: summary `t`: UNION joins two queries, and a summary is one; write two `[[summary]]` entries with the same `table`: their counts are merged",
        ),
        (
            "SELECT DISTINCT carrier, COUNT(*) AS n FROM flights GROUP BY carrier",
            "pipeline.toml:15: summary `t`: SELECT DISTINCT cannot be merged over files; leave it out: GROUP BY gives each key one row",
        ),
        (
            "SELECT TOP 5 carrier, COUNT(*) AS n FROM flights GROUP BY carrier",
            "pipeline.toml:15: summary `t`: TOP would drop rows that other files add to; leave it out, and order or limit where you read",
        ),
        (
            "SELECT carrier, COUNT(*) AS n FROM flights GROUP BY carrier
HAVING COUNT(*) > 5",
            "pipeline.toml:16: summary `t`: HAVING would drop groups that other files add to; filter groups where you read, or rows by WHERE",
        ),
        (
            "SELECT carrier, COUNT(*) AS n FROM flights GROUP BY carrier
ORDER BY n",
            "pipeline.toml:16: summary `t`: ORDER BY has no meaning in a summary table; leave it out, and order or limit where you read",
        ),
        (
            "SELECT carrier, COUNT(*) AS n FROM flights GROUP BY carrier LIMIT 5",
            "pipeline.toml:15: summary `t`: LIMIT would drop rows that other files add to; leave it out, and order or limit where you read",
        ),
        (
            "SELECT carrier, COUNT(*) AS n FROM flights GROUP BY carrier OFFSET 5",
            "pipeline.toml:15: summary `t`: OFFSET would drop rows that other files add to; leave it out, and order or limit where you read",
        ),
        (
            "SELECT carrier, COUNT(*) AS n FROM flights GROUP BY carrier FETCH FIRST 5 ROWS ONLY",
            "pipeline.toml:15: summary `t`: FETCH would drop rows that other files add to; leave it out, and order or limit where you read",
        ),
        (
            "SELECT carrier, COUNT(*) AS n FROM flights GROUP BY ROLLUP (carrier)",
            "pipeline.toml:15: summary `t`: GROUP BY ROLLUP makes rows that count others again; write a summary for each set of keys",
        ),
        (
            "SELECT carrier, COUNT(*) AS n FROM flights GROUP BY carrier WITH ROLLUP",
            "pipeline.toml:15: summary `t`: GROUP BY … WITH ROLLUP makes rows that count others again; write a summary for each set of keys",
        ),
        (
            "SELECT carrier, COUNT(*) AS n FROM flights GROUP BY GROUPING SETS ((carrier))",
            "pipeline.toml:15: summary `t`: GROUP BY GROUPING SETS makes rows that count others again; write a summary for each set of keys",
        ),
        (
            "SELECT carrier, COUNT(*) AS n FROM flights GROUP BY ALL",
            "pipeline.toml:15: summary `t`: GROUP BY ALL leaves open what the keys are; name each key: `GROUP BY flight_date, carrier`",
        ),
        (
            "SELECT carrier, COUNT(*) AS n FROM flights GROUP BY 1",
            "pipeline.toml:15: summary `t`: `GROUP BY 1` counts outputs, which breaks when one is added; write `carrier`",
        ),
        (
            "SELECT COUNT(*) AS n FROM flights",
            "pipeline.toml:15: summary `t`: GROUP BY is missing: a table of one row has no key to merge by; group by a key, such as `CAST(time_hour AS DATE) AS day`",
        ),
    ];
    check_cases(&cases, faults_of_sql);
}

#[test]
fn an_output_is_a_key_or_one_aggregate() {
    let cases = [
        (
            "SELECT * FROM flights GROUP BY carrier",
            "pipeline.toml:15: summary `t`: `SELECT *` gives rows, and a summary counts them; name keys and aggregates
pipeline.toml:15: summary `t`: GROUP BY has `carrier`, which is no output; add `carrier AS …` to the SELECT list, or take it out of GROUP BY",
        ),
        (
            "SELECT carrier FROM flights GROUP BY carrier",
            "pipeline.toml:15: summary `t`: the SELECT counts nothing; add an aggregate, such as `COUNT(*) AS row_count`",
        ),
        (
            "SELECT carrier, COUNT(*) FROM flights GROUP BY carrier",
            "pipeline.toml:15: summary `t`: `COUNT(*)` has no name; write `COUNT(*) AS name`",
        ),
        (
            "SELECT UPPER(carrier), COUNT(*) AS n FROM flights GROUP BY UPPER(carrier)",
            "pipeline.toml:15: summary `t`: `UPPER(carrier)` has no name; write `UPPER(carrier) AS name`",
        ),
        (
            "SELECT carrier, day, COUNT(*) AS n FROM flights GROUP BY carrier",
            "pipeline.toml:15: summary `t`: output `day` is neither an aggregate nor in GROUP BY; add `day` to GROUP BY",
        ),
        (
            "SELECT carrier, COUNT(*) AS n FROM flights GROUP BY carrier, day",
            "pipeline.toml:15: summary `t`: GROUP BY has `day`, which is no output; add `day AS …` to the SELECT list, or take it out of GROUP BY",
        ),
        (
            "SELECT carrier, COUNT(*) AS n FROM flights GROUP BY carrier, n",
            "pipeline.toml:15: summary `t`: GROUP BY has `n`, which is an aggregate; take it out of GROUP BY",
        ),
        (
            "SELECT carrier, COUNT(*) AS n, SUM(day) AS N FROM flights GROUP BY carrier",
            "pipeline.toml:15: summary `t`: outputs `n` and `N` differ only in case, which SQL does not see; give each output a name of its own",
        ),
        (
            "SELECT carrier, SUM(distance) AS distance FROM flights GROUP BY carrier",
            "pipeline.toml:15: summary `t`: output `distance` has the name of a column of the feed, but is another expression; choose another name after AS, such as `distance_sum`",
        ),
        (
            "SELECT CAST(time_hour AS DATE) AS time_hour, COUNT(*) AS n FROM flights GROUP BY time_hour",
            "pipeline.toml:15: summary `t`: output `time_hour` has the name of a column of the feed, but is another expression; choose another name after AS, such as `time_hour_date`",
        ),
        (
            "SELECT 'all' AS everything, COUNT(*) AS n FROM flights GROUP BY everything",
            "pipeline.toml:15: summary `t`: `'all'` is the same for every row, and so no key; leave it out, or use a column of the feed",
        ),
        (
            r#"SELECT carrier, COUNT(*) AS "how many" FROM flights GROUP BY carrier"#,
            "pipeline.toml:15: summary `t`: output `how many` cannot be a column of a table: a name begins with a letter or _, goes on with letters, digits or _, and has at most 63 characters; choose such a name after AS",
        ),
        (
            "SELECT carrier, COUNT(*) AS millrace_n FROM flights GROUP BY carrier",
            "pipeline.toml:15: summary `t`: output `millrace_n` begins with `millrace_`, as millrace's own columns do; choose another name after AS",
        ),
        (
            "SELECT carrier, AVG(dep_delay) AS delay FROM flights GROUP BY carrier",
            "pipeline.toml:15: summary `t`: aggregate `AVG` cannot be merged over files; write `SUM(dep_delay) AS total` and `COUNT(dep_delay) AS n`; divide where you read",
        ),
        (
            "SELECT carrier, COUNT(DISTINCT day) AS days FROM flights GROUP BY carrier",
            "pipeline.toml:15: summary `t`: `COUNT(DISTINCT day)` cannot be merged over files; make `day` a key of a summary of its own, and take `COUNT(DISTINCT day)` where you read",
        ),
        (
            "SELECT carrier, STDDEV(dep_delay) AS spread FROM flights GROUP BY carrier",
            "pipeline.toml:15: summary `t`: aggregate `STDDEV` cannot be merged over files; write `SUM(dep_delay) AS total`, `SUM(dep_delay * dep_delay) AS squares` and `COUNT(dep_delay) AS n`; compute it where you read",
        ),
        (
            "SELECT carrier, STRING_AGG(carrier) AS all_of_them FROM flights GROUP BY carrier",
            "pipeline.toml:15: summary `t`: aggregate `STRING_AGG` cannot be merged over files; only COUNT, SUM, MIN and MAX do; make the value a key and compute where you read",
        ),
        (
            "SELECT carrier, SUM(dep_delay) / COUNT(*) AS delay FROM flights GROUP BY carrier",
            "pipeline.toml:15: summary `t`: `SUM(dep_delay) / COUNT(*)` computes with aggregates, which cannot be merged over files; make each aggregate an output of its own, and compute where you read",
        ),
        (
            "SELECT carrier, COALESCE(SUM(day), 0) AS days FROM flights GROUP BY carrier",
            "pipeline.toml:15: summary `t`: `COALESCE(SUM(day), 0)` computes with aggregates, which cannot be merged over files; make each aggregate an output of its own, and compute where you read",
        ),
        (
            "SELECT carrier, SUM(MAX(day)) AS days FROM flights GROUP BY carrier",
            "pipeline.toml:15: summary `t`: `SUM(MAX(day))` puts an aggregate inside another; make each aggregate an output of its own, and compute where you read",
        ),
        (
            "SELECT carrier, SUM(day) OVER (PARTITION BY carrier) AS days FROM flights GROUP BY carrier",
            "pipeline.toml:15: summary `t`: `SUM(…) OVER` looks at other rows, which may be in other files; use GROUP BY here, and windows where you read",
        ),
        (
            "SELECT carrier, COUNT(*) FILTER (WHERE day > 1) AS n FROM flights GROUP BY carrier",
            "pipeline.toml:15: summary `t`: `COUNT(…) FILTER` is not SQL that every engine knows; write `COUNT(CASE WHEN day > 1 THEN 1 END)`",
        ),
        (
            "SELECT carrier, SUM(1) AS n FROM flights GROUP BY carrier",
            "pipeline.toml:15: summary `t`: `SUM(1)` is over no column of the feed; write `COUNT(*)` for the number of rows",
        ),
        (
            "SELECT carrier, MAX(day, 3) AS n FROM flights GROUP BY carrier",
            "pipeline.toml:15: summary `t`: `MAX` takes one argument; write `MAX(x)`",
        ),
    ];
    check_cases(&cases, faults_of_sql);
}

#[test]
fn an_expression_means_the_same_to_polars_and_spark() {
    let cases = [
        (
            "SELECT carier, COUNT(*) AS n FROM flights GROUP BY carier",
            "pipeline.toml:15: summary `t`: unknown column `carier`; did you mean `carrier`?",
        ),
        (
            "SELECT Carrier, COUNT(*) AS n FROM flights GROUP BY Carrier",
            "pipeline.toml:15: summary `t`: unknown column `Carrier`; did you mean `carrier`?",
        ),
        (
            "SELECT carrier, COUNT(*) AS n, SUM(tail) AS s FROM flights GROUP BY carrier",
            "pipeline.toml:15: summary `t`: unknown column `tail`; the feed has `time_hour`, `carrier`, `dep_delay`, `distance`, `cancelled` and `day`",
        ),
        (
            "SELECT carrier AS c, COUNT(*) AS n FROM flights
WHERE c = 'UA' GROUP BY c",
            "pipeline.toml:16: summary `t`: unknown column `c`; `c` is an output, which WHERE cannot see: write its expression",
        ),
        (
            "SELECT carrier, COUNT(*) AS n FROM flights WHERE SUM(day) > 1 GROUP BY carrier",
            "pipeline.toml:15: summary `t`: aggregate `SUM` cannot stand inside WHERE, which looks at one row at a time; make it an output, and filter groups where you read",
        ),
        (
            "SELECT carrier, COUNT(*) AS n FROM flights
 WHERE day > (SELECT 1) GROUP BY carrier",
            "pipeline.toml:16: summary `t`: subqueries cannot be used: a file's rows are counted without looking at any other table; join where you read",
        ),
        (
            "SELECT carrier, COUNT(*) AS n FROM flights WHERE carrier IN (SELECT x FROM y) GROUP BY carrier",
            "pipeline.toml:15: summary `t`: subqueries cannot be used: a file's rows are counted without looking at any other table; join where you read",
        ),
        (
            "SELECT carrier, COUNT(*) AS n FROM flights WHERE time_hour < NOW() GROUP BY carrier",
            "pipeline.toml:15: summary `t`: `NOW` gives another answer each time, so that a file counted again would count differently; use a column of the feed",
        ),
        (
            "SELECT CURRENT_DATE AS today, COUNT(*) AS n FROM flights GROUP BY today",
            "pipeline.toml:15: summary `t`: `CURRENT_DATE` gives another answer each time, so that a file counted again would count differently; use a column of the feed",
        ),
        (
            "SELECT carrier, COUNT(*) AS n FROM flights WHERE RANDOM() < 0.5 GROUP BY carrier",
            "pipeline.toml:15: summary `t`: `RANDOM` gives another answer each time, so that a file counted again would count differently; use a column of the feed",
        ),
        (
            "SELECT UPER(carrier) AS c, COUNT(*) AS n FROM flights GROUP BY c",
            "pipeline.toml:15: summary `t`: unknown function `UPER`; did you mean `UPPER`?",
        ),
        (
            "SELECT carrier, SUM(distance / day) AS x FROM flights GROUP BY carrier",
            "pipeline.toml:15: summary `t`: `distance / day` is infinite in Polars, and null or an error in Spark, where `day` is 0; write `distance / NULLIF(day, 0)`",
        ),
        (
            "SELECT distance % 10 AS d, COUNT(*) AS n FROM flights GROUP BY d",
            "pipeline.toml:15: summary `t`: `distance % 10` has another sign in Polars than in Spark where `distance` is negative; write `distance - 10 * FLOOR(distance / 10)`",
        ),
        (
            "SELECT time_hour::DATE AS d, COUNT(*) AS n FROM flights GROUP BY d",
            "pipeline.toml:15: summary `t`: `time_hour::DATE` is not standard SQL; write `CAST(time_hour AS DATE)`",
        ),
        (
            "SELECT CAST(distance AS SMALLINT) AS d, COUNT(*) AS n FROM flights GROUP BY d",
            "pipeline.toml:15: summary `t`: `CAST(distance AS SMALLINT)` does not mean the same in Polars and in Spark; cast to BIGINT, DOUBLE, DECIMAL(p,s), VARCHAR, BOOLEAN, DATE or TIMESTAMP",
        ),
        (
            "SELECT carrier, SUM(CAST(distance AS DECIMAL)) AS d FROM flights GROUP BY carrier",
            "pipeline.toml:15: summary `t`: `CAST(distance AS DECIMAL)` does not mean the same in Polars and in Spark; cast to BIGINT, DOUBLE, DECIMAL(p,s), VARCHAR, BOOLEAN, DATE or TIMESTAMP",
        ),
        (
            "SELECT carrier, SUM(CAST(dep_delay AS DECIMAL(9,2))) AS d FROM flights GROUP BY carrier",
            "pipeline.toml:15: summary `t`, column `d`: `CAST(dep_delay AS DECIMAL(9,2))` cannot be used: a float64 becomes a decimal by rounding; declare the column as decimal(p,s) in [feed.columns]",
        ),
        (
            "SELECT EXTRACT(DOW FROM time_hour) AS d, COUNT(*) AS n FROM flights GROUP BY d",
            "pipeline.toml:15: summary `t`: field `DOW` of a date is not the same in Polars and in Spark; fields are `DAY`, `DOY`, `HOUR`, `MINUTE`, `MONTH`, `QUARTER`, `WEEK` and `YEAR`",
        ),
        (
            "SELECT carrier, COUNT(*) AS n FROM flights WHERE cancelled IS TRUE GROUP BY carrier",
            "pipeline.toml:15: summary `t`: `IS TRUE` and `IS FALSE` treat nulls differently in Polars and in Spark; write `COALESCE(cancelled, FALSE)`, or `COALESCE(cancelled, TRUE)`",
        ),
        (
            "SELECT carrier, COUNT(*) AS n FROM flights WHERE day = ? GROUP BY carrier",
            "pipeline.toml:15: summary `t`: `?` is a parameter, and nobody fills it in; write the value",
        ),
        (
            r#"SELECT carrier, COUNT(*) AS n FROM flights WHERE carrier LIKE 'a\_%' GROUP BY carrier"#,
            "pipeline.toml:15: summary `t`: a backslash in a string is itself in Polars and an escape in Spark; compare with `LIKE` and `_` in its place",
        ),
        (
            "SELECT carrier, COUNT(*) AS n FROM flights WHERE time_hour > time_hour - INTERVAL '1 day' GROUP BY carrier",
            "pipeline.toml:15: summary `t`: `INTERVAL '1 day'` is not among the expressions that Polars and Spark agree on; write it with CASE, CAST, comparisons, arithmetic and the functions of pipeline.toml's reference",
        ),
        (
            "SELECT carrier, COUNT(*) AS n FROM flights WHERE carrier ~ 'a' GROUP BY carrier",
            "pipeline.toml:15: summary `t`: operator `~` is not among those that Polars and Spark agree on; use + - * / || = <> < <= > >= AND OR NOT",
        ),
        (
            "SELECT f.carrier, COUNT(*) AS n FROM flights GROUP BY f.carrier",
            "pipeline.toml:15: summary `t`: `f.carrier` is of another table than the feed; write `carrier`",
        ),
        (
            "SELECT carrier, SUM(ROUND(dep_delay)) AS x FROM flights GROUP BY carrier",
            "pipeline.toml:15: summary `t`: `ROUND` is not a function that Polars and Spark agree on; write `FLOOR(x + 0.5)`",
        ),
        (
            "SELECT TRIM(carrier) AS c, COUNT(*) AS n FROM flights GROUP BY c",
            "pipeline.toml:15: summary `t`: TRIM without `' ' FROM` does not drop the same characters in Polars and in Spark; write `TRIM(BOTH ' ' FROM carrier)`",
        ),
        (
            "SELECT SUBSTR(carrier, 0, 2) AS c, COUNT(*) AS n FROM flights GROUP BY c",
            "pipeline.toml:15: summary `t`: SUBSTR with a start below 1, or with bounds that are no numbers, differs in Polars and in Spark; write whole numbers, the start counted from 1: `SUBSTR(carrier, 1, 2)`",
        ),
        (
            "SELECT REPLACE(carrier, carrier, '') AS c, COUNT(*) AS n FROM flights GROUP BY c",
            "pipeline.toml:15: summary `t`: REPLACE of nothing, or of what a column says, differs in Polars and in Spark; write what is replaced as a string: `REPLACE(carrier, '-', '')`",
        ),
        (
            "SELECT DATE_PART('epoch', time_hour) AS e, COUNT(*) AS n FROM flights GROUP BY e",
            "pipeline.toml:15: summary `t`: field `epoch` of a date is not the same in Polars and in Spark; fields are `DAY`, `DOY`, `HOUR`, `MINUTE`, `MONTH`, `QUARTER`, `WEEK` and `YEAR`",
        ),
        (
            "SELECT YEAR(time_hour) AS y, COUNT(*) AS n FROM flights GROUP BY y",
            "pipeline.toml:15: summary `t`: `YEAR` is not a function that Polars and Spark agree on; write `EXTRACT(YEAR FROM x)`",
        ),
        (
            "SELECT carrier, COUNT(*) AS n,
 AVG(day) AS a,
 NOW() AS b
FROM flights
GROUP BY 1
ORDER BY 2",
            "pipeline.toml:16: summary `t`: aggregate `AVG` cannot be merged over files; write `SUM(day) AS total` and `COUNT(day) AS n`; divide where you read
pipeline.toml:17: summary `t`: `NOW` gives another answer each time, so that a file counted again would count differently; use a column of the feed
pipeline.toml:19: summary `t`: `GROUP BY 1` counts outputs, which breaks when one is added; write `carrier`
pipeline.toml:20: summary `t`: ORDER BY has no meaning in a summary table; leave it out, and order or limit where you read",
        ),
    ];
    check_cases(&cases, faults_of_sql);
}
