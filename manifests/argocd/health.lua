-- How a RagDeployment is, for Argo CD (docs/gitops.md says how to install it).
-- Written for Lua 5.1; `obj` is the resource, and what is returned is its health.

local function condition(kind)
  if obj.status == nil or obj.status.conditions == nil then
    return nil
  end
  for _, one in ipairs(obj.status.conditions) do
    if one.type == kind then
      return one
    end
  end
  return nil
end

local function holds(kind)
  local found = condition(kind)
  return found ~= nil and found.status == "True"
end

local function health(status, kind, words)
  local found = condition(kind)
  return { status = status, message = found ~= nil and found.message or words }
end

-- The annotation itself, for whoever sets it should not have to wait for the operator.
local annotations = obj.metadata.annotations or {}
if annotations["ragdeploy.io/paused"] == "true" then
  return health("Suspended", "Paused", "The operator changes nothing while the annotation ragdeploy.io/paused is true.")
end

if obj.status == nil or obj.status.conditions == nil then
  return { status = "Progressing", message = "Waiting for the operator to look at it." }
end

if obj.status.observedGeneration ~= nil and obj.metadata.generation ~= nil
    and obj.status.observedGeneration < obj.metadata.generation then
  return { status = "Progressing", message = "Waiting for the operator to look at the latest edit." }
end

if holds("Stalled") then
  return health("Degraded", "Stalled", "The operator has given up.")
end

if holds("Suspended") then
  return health("Suspended", "Suspended", "Nothing runs.")
end

if holds("Reconciling") then
  return health("Progressing", "Reconciling", "Work is going on.")
end

if holds("Ready") then
  return health("Healthy", "Ready", "Questions are answered.")
end

return health("Degraded", "Ready", "It is not ready.")
