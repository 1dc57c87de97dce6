// The same composition on the official Go SDK, to be measured beside function-odoo.
//
// In: requests of Crossplane, decoded by the SDK. Out: every observed resource of its own composed again, as it would be
// desired, with the status of the composite as it is and all that was asked for read. It decides nothing: what is
// measured is how objects get in and out, which is where functions on this SDK spend their time. Every choice is in its
// favour: no Platform is read or checked, nothing is rendered, nothing is logged.
package main

import (
	"context"
	"flag"
	"log"
	"strings"
	"time"

	function "github.com/crossplane/function-sdk-go"
	v1 "github.com/crossplane/function-sdk-go/proto/v1"
	"github.com/crossplane/function-sdk-go/request"
	"github.com/crossplane/function-sdk-go/resource"
	"github.com/crossplane/function-sdk-go/resource/composed"
	"github.com/crossplane/function-sdk-go/response"
)

// timeToLive is that of a settled tenant.
const timeToLive = 10 * time.Minute

// ofOthers begins the names of what earlier functions of the pipeline have composed.
const ofOthers = "of-others-"

// maximumBytes is the largest request, as function-odoo has it.
const maximumBytes = 16 << 20

type server struct {
	v1.UnimplementedFunctionRunnerServiceServer
}

// RunFunction answers one call.
func (server) RunFunction(_ context.Context, req *v1.RunFunctionRequest) (*v1.RunFunctionResponse, error) {
	rsp := response.To(req, timeToLive)
	if err := answer(req, rsp); err != nil {
		response.Fatal(rsp, err)
	}
	return rsp, nil
}

func answer(req *v1.RunFunctionRequest, rsp *v1.RunFunctionResponse) error {
	observedComposite, err := request.GetObservedCompositeResource(req)
	if err != nil {
		return err
	}
	composite, err := request.GetDesiredCompositeResource(req)
	if err != nil {
		return err
	}
	composite.Resource.SetAPIVersion(observedComposite.Resource.GetAPIVersion())
	composite.Resource.SetKind(observedComposite.Resource.GetKind())
	if status, ok := observedComposite.Resource.Object["status"].(map[string]any); ok {
		delete(status, "conditions")
		composite.Resource.Object["status"] = status
	}
	composite.Ready = resource.ReadyTrue
	if err := response.SetDesiredCompositeResource(rsp, composite); err != nil {
		return err
	}
	if _, err := request.GetRequiredResources(req); err != nil {
		return err
	}
	observed, err := request.GetObservedComposedResources(req)
	if err != nil {
		return err
	}
	desired, err := request.GetDesiredComposedResources(req)
	if err != nil {
		return err
	}
	for name, object := range observed {
		if strings.HasPrefix(string(name), ofOthers) {
			continue
		}
		desired[name] = &resource.DesiredComposed{Resource: again(object.Resource), Ready: resource.ReadyTrue}
	}
	return response.SetDesiredComposedResources(rsp, desired)
}

// again is the object as a function would compose it: without what the API server and controllers have added.
func again(observed *composed.Unstructured) *composed.Unstructured {
	desired := composed.New()
	desired.SetAPIVersion(observed.GetAPIVersion())
	desired.SetKind(observed.GetKind())
	desired.SetName(observed.GetName())
	desired.SetNamespace(observed.GetNamespace())
	desired.SetLabels(observed.GetLabels())
	for key, value := range observed.Object {
		switch key {
		case "apiVersion", "kind", "metadata", "status":
		default:
			desired.Object[key] = value
		}
	}
	return desired
}

func main() {
	address := flag.String("address", "", "where to listen")
	flag.Parse()
	err := function.Serve(server{},
		function.Listen("tcp", *address),
		function.Insecure(true),
		function.MaxRecvMessageSize(maximumBytes),
		function.WithMetricsServer(""))
	if err != nil {
		log.Fatal(err)
	}
}
