"""From planned runs to records: names become objects, cohorts are trained and measured."""
