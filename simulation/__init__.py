"""A fleet that is not there: the neuron-monitor emulator, and later jobs with faults."""
