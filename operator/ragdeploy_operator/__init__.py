"""The operator: makes the cluster look as each RagDeployment says."""
