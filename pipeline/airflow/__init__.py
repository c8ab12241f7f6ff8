"""Airflow on one machine, for `sluice demo` and `sluice up`. Nothing here imports Airflow: it runs in processes of its own."""
