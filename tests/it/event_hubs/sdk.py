"""Microsoft's SDK for Event Hubs against the broker: python3 sdk.py CONNECTION_STRING HUB PARTITION

The partition holds three events that were sent by key "key"."""

import socket
import sys
import threading

from azure.eventhub import EventData, EventHubConsumerClient, EventHubProducerClient
from azure.eventhub._buffered_producer._partition_resolver import PartitionResolver
from azure.eventhub.exceptions import AuthenticationError, ConnectError, EventHubError

connection_string, hub, partition = sys.argv[1:]

# The SDK sets every TCP option to what it was, and loopback's segments are larger than a program may ask for.
del socket.TCP_MAXSEG


def producer(text=connection_string):
    return EventHubProducerClient.from_connection_string(text, eventhub_name=hub, retry_total=1)


def receive(count, from_number, at=partition, group="$Default", owner_level=None):
    """So many events, or an error."""
    client = EventHubConsumerClient.from_connection_string(
        connection_string, consumer_group=group, eventhub_name=hub, retry_total=0
    )
    events, errors = [], []

    def take(context, event):
        if event is not None:
            events.append(event)
        if len(events) >= count:
            threading.Thread(target=client.close).start()

    def fail(context, error):
        errors.append(error)
        threading.Thread(target=client.close).start()

    guard = threading.Timer(30, client.close)
    guard.start()
    client.receive(
        take,
        on_error=fail,
        partition_id=at,
        starting_position=from_number,
        starting_position_inclusive=True,
        owner_level=owner_level,
        prefetch=10,
    )
    guard.cancel()
    if errors:
        raise errors[0]
    return events


with producer() as sender:
    properties = sender.get_eventhub_properties()
    assert properties["eventhub_name"] == hub and properties["partition_ids"] == ["0", "1"], properties
    assert properties["created_at"] is not None, properties
    before = sender.get_partition_properties(partition)
    assert before["beginning_sequence_number"] == 0 and not before["is_empty"], before
    assert before["last_enqueued_sequence_number"] == 2, before
    batch = sender.create_batch(partition_id=partition)
    for number in range(3):
        event = EventData(f"from the sdk {number}")
        event.properties = {"number": number}
        batch.add(event)
    sender.send_batch(batch)
    after = sender.get_partition_properties(partition)
    assert after["last_enqueued_sequence_number"] == 5, after
    # The hub picks the partition.
    lasts = {name: sender.get_partition_properties(name)["last_enqueued_sequence_number"] for name in ("0", "1")}
    sender.send_batch([EventData("by key")], partition_key="another key")
    placed = [
        name
        for name, last in lasts.items()
        if sender.get_partition_properties(name)["last_enqueued_sequence_number"] == last + 1
    ]
    assert len(placed) == 1, (placed, lasts)

# Ours picks a key's partition itself, where the hub would.
assert PartitionResolver(["0", "1"]).get_partition_id_by_partition_key("key") == partition, partition

found = receive(6, 0)
assert [event.sequence_number for event in found] == list(range(6)), found
bodies = [event.body_as_str() for event in found]
assert bodies[:3] == ["from us 0", "from us 1", "from us 2"], bodies
assert bodies[3:] == ["from the sdk 0", "from the sdk 1", "from the sdk 2"], bodies
assert [event.properties.get(b"number") for event in found[3:]] == [0, 1, 2], [event.properties for event in found]
assert all(event.enqueued_time is not None and event.offset is not None for event in found)
assert [event.sequence_number for event in receive(2, 4, group="another", owner_level=1)] == [4, 5]
(by_key,) = receive(1, lasts[placed[0]] + 1, at=placed[0])
assert (by_key.body_as_str(), by_key.partition_key) == ("by key", b"another key"), by_key

try:
    with producer(connection_string.replace("SharedAccessKeyName=Root", "SharedAccessKeyName=No")) as refused:
        refused.send_batch([EventData("refused")])
    raise AssertionError("a wrong key opened the hub")
except (AuthenticationError, ConnectError, EventHubError) as error:
    assert "401" in str(error) or "authoriz" in str(error).lower() or "authent" in str(error).lower(), error

print("it works")
