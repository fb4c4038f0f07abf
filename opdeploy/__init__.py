"""opdeploy recommends where a trained model should run, from batch to real time, and puts it there."""

__version__ = "0.1.0"
