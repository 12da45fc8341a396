"""Looking at a topic: its newest records, those about somebody, each as a line for people or for programs."""
