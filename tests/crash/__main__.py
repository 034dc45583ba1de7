"""`python -m tests.crash --iterations N --seed S`: the long campaign."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from campaign import main

parser = argparse.ArgumentParser()
parser.add_argument("--iterations", type=int, default=100)
parser.add_argument("--seed", type=int, default=1)
given = parser.parse_args()
sys.exit(main(given.iterations, given.seed))
