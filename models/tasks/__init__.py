"""The pretext tasks by name. Being listed here is what makes a task trainable and tested."""

from models.tasks.base import Task
from models.tasks.counting import Counting
from models.tasks.rotation import Rotation
from models.tasks.supervised import Supervised

TASKS: dict[str, type[Task]] = {task.name: task for task in (Counting, Rotation, Supervised)}
