"""What Sluice costs, as ratios beside a floor in the same run; no test asserts a time."""
