"""The pretext tasks by name. Being listed here is what makes a task trainable and tested."""

from models.tasks.base import Task
from models.tasks.counting import Counting

TASKS: dict[str, type[Task]] = {Counting.name: Counting}
