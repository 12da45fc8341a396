"""Real Apache Kafka on this machine, for tests, benchmarks and trying things: one broker, or three.

``tools/kafka/fetch`` brings the jars (once), ``tools/kafka/start`` runs a cluster in the foreground, and
``KafkaCluster`` does the same for a test. Every broker is its own Java process on loopback, or in a network
namespace of its own when a test wants to cut it off; none outlives the process that started it.
"""

from tools.kafka.broker import BrokerError
from tools.kafka.cluster import KafkaCluster
from tools.kafka.java import available
from tools.kafka.settings import Listener

__all__ = ["BrokerError", "KafkaCluster", "Listener", "available"]
