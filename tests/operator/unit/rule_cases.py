"""For each rule of the resource, a spec that breaks it and one that nearly does."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.operator.unit.resources import Json


@dataclass(frozen=True, kw_only=True)
class Case:
    """A spec that breaks a rule, and one that nearly does."""

    path: str
    words: str
    refused: Json
    accepted: Json
    before: Json = field(default_factory=dict)
    """What was stored before, for rules about changes."""
    name_refused: str = "docs"

    @property
    def is_about_a_change(self) -> bool:
        return bool(self.before)

    def __str__(self) -> str:
        return f"{self.path}: {self.words}"


def storage(**values: object) -> Json:
    return {"managed": {"storage": values}}


def peer_cases(path: str, field: str) -> list[Case]:
    """Cases of the rules of a list of peers."""

    def spec(peer: Json) -> Json:
        return {"network": {"networkPolicy": {field: [peer]}}}

    pods, name = {"podSelector": {}}, {"matchLabels": {"-app": "web"}}
    block = {"ipBlock": {"cidr": "192.0.2.0/24", "except": ["192.0.2.1/32"]}}
    labels = "selector.matchLabels must have names that Kubernetes takes for labels"
    needs = "a peer needs either ipBlock, or namespaceSelector or podSelector or both"
    return [
        Case(path=path, words=needs, refused=spec(pods | block), accepted=spec(block)),
        Case(path=path, words=needs, refused=spec({}), accepted=spec(pods)),
        *[
            Case(
                path=f"{path}.{selector}",
                words=labels,
                refused=spec({selector: name}),
                accepted=spec({selector: {"matchLabels": {"app.kubernetes.io/name": "web"}}}),
            )
            for selector in ("namespaceSelector", "podSelector")
        ],
    ]


REF = {"name": "secret", "key": "key"}
EXTERNAL_CACHE = {"external": {"urlSecretRef": REF}}
EXTERNAL_STORE = {"external": {"uri": "http://milvus:19530"}}
ON, OFF = {"enabled": True}, {"enabled": False}

PLACED = ("api", "indexer", "cache.managed", "vectorStore.managed")
"""Parts whose pods can be placed."""


def at(path: str, **values: object) -> Json:
    """A spec with these values in one part."""
    for name in reversed(path.split(".")):
        values = {name: values}
    return values


def placement(part: str) -> list[Case]:
    """The rules about pods that all parts share."""
    path = f"spec.{part}"
    return [
        Case(
            path=path,
            words="nodeSelector must have names that Kubernetes takes for labels",
            refused=at(part, nodeSelector={"disk_": "ssd"}),
            accepted=at(part, nodeSelector={"example.com/disk": "ssd"}),
        ),
        Case(
            path=path,
            words="podAnnotations must have names that Kubernetes takes for annotations",
            refused=at(part, podAnnotations={"ragdeploy.io/config-checksum": "1"}),
            accepted=at(part, podAnnotations={"sidecar.istio.io/inject": "true"}),
        ),
        Case(
            path=f"{path}.tolerations",
            words="a toleration without key needs operator Exists",
            refused=at(part, tolerations=[{"effect": "NoSchedule"}]),
            accepted=at(part, tolerations=[{"effect": "NoSchedule", "operator": "Exists"}]),
        ),
        Case(
            path=f"{path}.tolerations",
            words="a toleration with operator Exists has no value",
            refused=at(part, tolerations=[{"key": "gpu", "operator": "Exists", "value": "a"}]),
            accepted=at(part, tolerations=[{"key": "gpu", "value": "a"}]),
        ),
        Case(
            path=f"{path}.tolerations",
            words="tolerationSeconds needs effect NoExecute",
            refused=at(part, tolerations=[{"key": "gpu", "tolerationSeconds": 60}]),
            accepted=at(
                part, tolerations=[{"key": "gpu", "tolerationSeconds": 60, "effect": "NoExecute"}]
            ),
        ),
    ]


def service_pods(part: str) -> list[Case]:
    """The rules about pods that run the service's image."""
    path = f"spec.{part}"
    rack = {"topologyKey": "rack"}
    return [
        Case(
            path=path,
            words="topologySpread must name each pair of topologyKey and whenUnsatisfiable once",
            refused=at(part, topologySpread=[rack, {**rack, "maxSkew": 2}]),
            accepted=at(
                part, topologySpread=[rack, {**rack, "whenUnsatisfiable": "DoNotSchedule"}]
            ),
        ),
        Case(
            path=path,
            words="extraEnv must name each variable once",
            refused=at(part, extraEnv=[{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]),
            accepted=at(part, extraEnv=[{"name": "A", "value": "1"}, {"name": "B", "value": "1"}]),
        ),
        Case(
            path=path,
            words="extraEnv must not override what the operator writes from the other fields",
            refused=at(part, extraEnv=[{"name": "RAG_TOP_K", "value": "5"}]),
            accepted=at(part, extraEnv=[{"name": "RAG_LOG_LEVEL", "value": "DEBUG"}]),
        ),
        Case(
            path=f"{path}.autoscaling",
            words="autoscaling.minReplicas must not exceed autoscaling.maxReplicas",
            refused=at(part, autoscaling={"minReplicas": 11, "maxReplicas": 10}),
            accepted=at(part, autoscaling={"minReplicas": 10, "maxReplicas": 10}),
        ),
        Case(
            path=f"{path}.resources",
            words="a request must not exceed the limit of the same resource",
            refused=at(part, resources={"requests": {"cpu": "1.1"}, "limits": {"cpu": 1}}),
            accepted=at(part, resources={"requests": {"cpu": "1000m"}, "limits": {"cpu": 1}}),
        ),
        Case(
            path=path,
            words="autoscaling measures against the CPU request",
            refused=at(part, autoscaling=ON, resources={"requests": {"memory": "1Gi"}}),
            accepted=at(part, autoscaling=ON, resources={"limits": {"cpu": 2}}),
        ),
        Case(
            path=path,
            words="autoscaling decides the number of pods",
            before=at(part, autoscaling=ON, replicas=4),
            refused=at(part, autoscaling=ON, replicas=3),
            accepted=at(part, autoscaling=OFF, replicas=3),
        ),
        Case(
            path=f"{path}.autoscaling.metrics",
            words="a metric needs the field that its type names",
            refused=at(part, autoscaling={"metrics": [{"type": "Pods", "object": {}}]}),
            accepted=at(part, autoscaling={"metrics": [{"type": "Pods", "pods": {}}]}),
        ),
        Case(
            path=f"{path}.extraEnv",
            words="a variable of extraEnv needs either value or valueFrom",
            refused=at(part, extraEnv=[{"name": "A"}]),
            accepted=at(part, extraEnv=[{"name": "A", "valueFrom": {"secretKeyRef": REF}}]),
        ),
    ]


CASES = [
    *(case for part in PLACED for case in placement(part)),
    *service_pods("api"),
    *service_pods("indexer"),
    Case(
        path="",
        words="the name of a RagDeployment must begin with a letter",
        refused={},
        name_refused="docs.v2",
        accepted={},
    ),
    Case(
        path="",
        words="at most 63 characters",
        refused={},
        name_refused="d" * 64,
        accepted={},
    ),
    Case(
        path="spec.cache.managed.resources",
        words="a request must not exceed the limit of the same resource",
        refused={
            "cache": {
                "managed": {
                    "resources": {"requests": {"memory": "1.1Gi"}, "limits": {"memory": "1Gi"}}
                }
            }
        },
        accepted={
            "cache": {
                "managed": {
                    "resources": {"requests": {"memory": "1024Mi"}, "limits": {"memory": "1Gi"}}
                }
            }
        },
    ),
    Case(
        path="spec.vectorStore.managed.resources",
        words="a request must not exceed the limit of the same resource",
        refused={
            "vectorStore": {
                "managed": {"resources": {"requests": {"cpu": 3}, "limits": {"cpu": "2500m"}}}
            }
        },
        accepted={"vectorStore": {"managed": {"resources": {"requests": {"cpu": 3}}}}},
    ),
    Case(
        path="spec.llm",
        words="llm needs apiKeySecretRef (a key for OpenAI), baseURL (an API of your own), or both",
        refused={"llm": {"model": "gpt-4o-mini"}},
        accepted={"llm": {"model": "llama", "baseURL": "http://vllm:8000/v1"}},
    ),
    Case(
        path="spec.llm",
        words="promptTemplate must contain {context} and {question}",
        refused={"llm": {"apiKeySecretRef": REF, "promptTemplate": "Use {context}."}},
        accepted={"llm": {"apiKeySecretRef": REF, "promptTemplate": "{context} {question}"}},
    ),
    Case(
        path="spec.embedding",
        words="embedding with provider openai needs apiKeySecretRef",
        refused={"embedding": {"provider": "openai", "model": "m"}},
        accepted={"embedding": {"provider": "openai", "model": "m", "apiKeySecretRef": REF}},
    ),
    Case(
        path="spec.embedding",
        words="OpenAI does not serve the default model: set embedding.model",
        refused={"embedding": {"provider": "openai", "apiKeySecretRef": REF}},
        accepted={"embedding": {"provider": "openai", "baseURL": "http://tei:8080/v1"}},
    ),
    Case(
        path="spec.embedding",
        words="embedding.baseURL and embedding.apiKeySecretRef need provider openai",
        refused={"embedding": {"baseURL": "http://tei:8080/v1"}},
        accepted={"embedding": {"provider": "openai", "baseURL": "http://tei:8080/v1"}},
    ),
    Case(
        path="spec.embedding",
        words="backend torch computes embeddings in the API's own pods",
        refused={
            "embedding": {
                "provider": "openai",
                "model": "m",
                "apiKeySecretRef": REF,
                "backend": "torch",
            }
        },
        accepted={"embedding": {"backend": "torch", "model": "intfloat/e5-small"}},
    ),
    Case(
        path="spec.embedding",
        words="backend onnx runs sentence-transformers/all-MiniLM-L6-v2 only",
        refused={"embedding": {"model": "intfloat/e5-small"}},
        accepted={"embedding": {"model": "sentence-transformers/all-MiniLM-L6-v2"}},
    ),
    Case(
        path="spec.embedding",
        words="precision int8 goes with provider local and backend onnx",
        refused={
            "embedding": {
                "provider": "openai",
                "baseURL": "http://tei:8080/v1",
                "precision": "int8",
            }
        },
        accepted={"embedding": {"precision": "int8"}},
    ),
    Case(
        path="spec.retrieval.rerank",
        words="rerank.baseURL goes with backend http or tei, and is needed there",
        refused={"retrieval": {"rerank": {"backend": "http"}}},
        accepted={"retrieval": {"rerank": {"backend": "onnx"}}},
    ),
    Case(
        path="spec.retrieval.rerank",
        words="rerank.apiKeySecretRef goes with backend http or tei",
        refused={"retrieval": {"rerank": {"backend": "onnx", "apiKeySecretRef": REF}}},
        accepted={
            "retrieval": {
                "rerank": {"backend": "tei", "baseURL": "http://tei", "apiKeySecretRef": REF}
            }
        },
    ),
    Case(
        path="spec.retrieval.rerank",
        words="backend onnx runs cross-encoder/ms-marco-MiniLM-L6-v2 only",
        refused={"retrieval": {"rerank": {"backend": "onnx", "model": "bge"}}},
        accepted={
            "retrieval": {"rerank": {"backend": "http", "baseURL": "http://a", "model": "bge"}}
        },
    ),
    Case(
        path="spec.retrieval.chunking",
        words="chunking.overlap must be at most half of chunking.size",
        refused={"retrieval": {"chunking": {"size": 47}}},
        accepted={"retrieval": {"chunking": {"size": 48}}},
    ),
    Case(
        path="spec.cache.managed",
        words="cache.managed.resources.limits.memory must be at least 1.5 times maxMemory",
        refused={"cache": {"managed": {"maxMemory": "342Mi"}}},
        accepted={"cache": {"managed": {"maxMemory": "341Mi"}}},
    ),
    Case(
        path="spec.cache.managed",
        words="cache.managed.maxMemory must be at least 1Mi",
        refused={"cache": {"managed": {"maxMemory": 0}}},
        accepted={"cache": {"managed": {"maxMemory": "1Mi"}}},
    ),
    Case(
        path="spec.cache.managed.storage",
        words="storage.size must be more than nothing",
        refused={"cache": storage(size="0Gi")},
        accepted={"cache": storage(size="1Gi")},
    ),
    Case(
        path="spec.vectorStore.managed.storage",
        words="storage.size must be more than nothing",
        refused={"vectorStore": storage(size=0)},
        accepted={"vectorStore": storage(size="10Gi")},
    ),
    Case(
        path="spec.monitoring.serviceMonitor",
        words="serviceMonitor.labels must have names that Kubernetes takes for labels",
        refused={"monitoring": {"serviceMonitor": {"labels": {"-release": "prometheus"}}}},
        accepted={"monitoring": {"serviceMonitor": {"labels": {"example.com/team": "a_B.c"}}}},
    ),
    Case(
        path="spec.monitoring.prometheusRule",
        words="prometheusRule.labels must have names that Kubernetes takes for labels",
        refused={"monitoring": {"prometheusRule": {"labels": {"a/b/c": "x"}}}},
        accepted={"monitoring": {"prometheusRule": {"labels": {"role": "alert-rules"}}}},
    ),
    Case(
        path="spec.monitoring.dashboard",
        words="dashboard.labels must have names that Kubernetes takes for labels",
        refused={"monitoring": {"dashboard": {"labels": {"grafana dashboard": "1"}}}},
        accepted={"monitoring": {"dashboard": {"labels": {"grafana_dashboard": "2"}}}},
    ),
    Case(
        path="spec.network.service",
        words="service.annotations must have names that Kubernetes takes for annotations",
        refused={"network": {"service": {"annotations": {"/type": "nlb"}}}},
        accepted={"network": {"service": {"annotations": {"aws.example/type": "nlb x"}}}},
    ),
    Case(
        path="spec.network.ingress",
        words="ingress.annotations must have names that Kubernetes takes for annotations",
        refused={"network": {"ingress": {"annotations": {"two words": "x"}}}},
        accepted={"network": {"ingress": {"annotations": {"nginx.example/timeout": "60"}}}},
    ),
    Case(
        path="spec.network.ingress",
        words="ingress.tls needs ingress.host, the name that the certificate is for",
        refused={"network": {"ingress": {"tls": {}}}},
        accepted={"network": {"ingress": {"tls": {}, "host": "rag.example.com"}}},
    ),
    *[
        case
        for field in ("allowedFrom", "allowedTo")
        for case in peer_cases(f"spec.network.networkPolicy.{field}", field)
    ],
    Case(
        path="spec.cache",
        words="managed and external exclude each other",
        refused={"cache": {"managed": {}, **EXTERNAL_CACHE}},
        accepted={"cache": EXTERNAL_CACHE},
    ),
    Case(
        path="spec.vectorStore.managed",
        words="cluster needs mode cluster",
        refused={"vectorStore": {"managed": {"cluster": {"config": {"a": 1}}}}},
        accepted={"vectorStore": {"managed": {"mode": "cluster", "cluster": {}}}},
    ),
    Case(
        path="spec.vectorStore",
        words="vectorStore.managed.mode cannot change",
        before={"vectorStore": {"managed": {"mode": "cluster"}}},
        refused={"vectorStore": {"managed": {}}},
        accepted={"vectorStore": EXTERNAL_STORE},
    ),
    Case(
        path="spec.vectorStore",
        words="vectorStore.managed.mode cannot change",
        before={"retrieval": {"topK": 3}},
        refused={"vectorStore": {"managed": {"mode": "cluster"}}},
        accepted={"vectorStore": {"managed": {"mode": "standalone"}}},
    ),
    Case(
        path="spec.vectorStore",
        words="managed and external exclude each other",
        refused={"vectorStore": {"managed": {}, **EXTERNAL_STORE}},
        accepted={"vectorStore": EXTERNAL_STORE},
    ),
    Case(
        path="spec.cache",
        words="cache.managed.replicas cannot change",
        before={"cache": {"managed": {"replicas": 3}}},
        refused={"cache": {"managed": {"replicas": 1}}},
        accepted={"cache": {"managed": {"replicas": 3, "maxMemory": "128Mi"}}},
    ),
    Case(
        path="spec.cache",
        words="cache.managed.replicas cannot change",
        before={"cache": {"ttlSeconds": 60}},
        refused={"cache": {"managed": {"replicas": 3}}},
        accepted={"cache": {"managed": {"replicas": 1}}},
    ),
    Case(
        path="spec.cache",
        words="a volume cannot shrink",
        before={"cache": storage(size="2Gi")},
        refused={"cache": storage(size="2047Mi")},
        accepted={"cache": storage(size="2048Mi")},
    ),
    Case(
        path="spec.cache",
        words="a volume cannot shrink",
        before={"cache": {"ttlSeconds": 60}},
        refused={"cache": storage(size="1023Mi")},
        accepted={"cache": storage(size="2Gi")},
    ),
    Case(
        path="spec.vectorStore",
        words="a volume cannot shrink",
        before={"vectorStore": storage(size="20Gi")},
        refused={"vectorStore": {}},
        accepted={"vectorStore": EXTERNAL_STORE},
    ),
    Case(
        path="spec.cache",
        words="managed.storage.className cannot change once the volume is there",
        before={"cache": storage(className="fast")},
        refused={"cache": storage(className="slow")},
        accepted={"cache": storage(className="fast", size="5Gi")},
    ),
    Case(
        path="spec.vectorStore",
        words="managed.storage.className cannot change once the volume is there",
        before={"vectorStore": storage()},
        refused={"vectorStore": storage(className="fast")},
        accepted={"vectorStore": storage(size="20Gi")},
    ),
]
