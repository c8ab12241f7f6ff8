"""One DAG per published contract; a few lines each over `pipeline/`. The only room that imports the scheduler."""
