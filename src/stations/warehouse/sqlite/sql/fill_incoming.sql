INSERT INTO temp.{incoming} ("millrace_summary_id", {columns}) VALUES (?, {parameters})
