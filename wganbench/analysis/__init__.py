"""Analysis of records: statistics, verdicts, tables, figures and the report. Never imports torch."""
