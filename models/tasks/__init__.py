"""The pretext tasks by name. Being listed here is what makes a task trainable and tested."""

from models.tasks.base import Task
from models.tasks.cluster_classification import ClusterClassification
from models.tasks.colorization import Colorization
from models.tasks.context_prediction import ContextPrediction
from models.tasks.counting import Counting
from models.tasks.deepcluster import DeepCluster
from models.tasks.inpainting import Inpainting
from models.tasks.jigsaw import Jigsaw
from models.tasks.jigsaw_pp import JigsawPP
from models.tasks.rotation import Rotation
from models.tasks.split_brain import SplitBrain
from models.tasks.supervised import Supervised

TASKS: dict[str, type[Task]] = {
    task.name: task
    for task in (
        Counting,
        Jigsaw,
        JigsawPP,
        Rotation,
        Supervised,
        DeepCluster,
        ClusterClassification,
        Colorization,
        SplitBrain,
        ContextPrediction,
        Inpainting,
    )
}
