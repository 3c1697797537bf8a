// Command kubectl is kubectl as upstream builds it, for machines that have none.
//
// k8s.io/kubernetes/cmd/kubectl, the upstream main package, cannot be required
// from another module; these are its lines over k8s.io/kubectl, which can.
package main

import (
	_ "time/tzdata"

	"k8s.io/component-base/cli"
	"k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"

	_ "k8s.io/client-go/plugin/pkg/client/auth"
)

func main() {
	if err := cli.RunNoErrOutput(cmd.NewDefaultKubectlCommand()); err != nil {
		util.CheckErr(err)
	}
}
