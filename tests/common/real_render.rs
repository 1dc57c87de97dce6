//! The real `crossplane composition render`, given the same files as ours, with a function of this process behind gRPC.
//!
//! In: our arguments, a Composition, a definition and a function. Out: what the real program prints. The function is
//! reached through the Development runtime, so nothing is pulled or started but the two programs.

use std::{fs, path::Path, process::Command};

use function_odoo::{
    cli::render::RenderArguments,
    function::{
        NOW_CONTEXT_KEY,
        proto::v1::{
            RunFunctionRequest, RunFunctionResponse,
            function_runner_service_server::{FunctionRunnerService, FunctionRunnerServiceServer},
        },
    },
};

use crate::common;

/// One call of a function.
pub type Function = fn(&RunFunctionRequest) -> RunFunctionResponse;

/// Standard output, or standard error when the program fails; `None` when it is missing. `folder` gets the files that
/// only the real program needs.
pub fn real_render(
    arguments: &RenderArguments,
    composition: &str,
    definition: &Path,
    folder: &Path,
    function: Function,
) -> Option<Result<String, String>> {
    let (program, core) = (common::tool("crossplane")?, common::tool("crossplane-core")?);
    let server = Server::start(function);
    let write = |file: &str, text: &str| {
        let path = folder.join(file);
        fs::write(&path, text).expect("the case's folder is writable");
        path
    };
    let mut command = Command::new(program);
    command.args(["composition", "render"]).arg(&arguments.composite);
    command.arg(write("composition.yaml", composition));
    command.arg(write("functions.yaml", &functions(composition, &server.address)));
    command
        .arg("--timeout=30s")
        .arg("--crossplane-binary")
        .arg(core)
        .arg("--xrd")
        .arg(definition);
    let RenderArguments {
        observed,
        required,
        schemas,
        ..
    } = arguments;
    for (option, path) in [("-o", observed), ("-e", required), ("-s", schemas)] {
        if let Some(path) = path {
            command.arg(option).arg(path);
        }
    }
    if let Some(now) = &arguments.now {
        command
            .arg("--context-values")
            .arg(format!("{NOW_CONTEXT_KEY}=\"{now}\""));
    }
    command.args(arguments.include_function_results.then_some("-r"));
    command.args(arguments.include_full_xr.then_some("-x"));
    let output = command
        .env("HOME", folder)
        .output()
        .expect("the real program starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the real program prints UTF-8");
    Some(if output.status.success() {
        Ok(text(output.stdout))
    } else {
        Err(text(output.stderr))
    })
}

/// The Function that the Composition's only step names, at this address.
fn functions(composition: &str, address: &str) -> String {
    let composition: serde_json::Value = serde_yaml::from_str(composition).expect("a Composition is YAML");
    let name = composition["spec"]["pipeline"][0]["functionRef"]["name"]
        .as_str()
        .expect("a step has a function");
    format!(
        "apiVersion: pkg.crossplane.io/v1
kind: Function
metadata:
  name: {name}
  annotations:
    render.crossplane.io/runtime: Development
    render.crossplane.io/runtime-development-target: {address}
spec:
  package: example.org/{name}:v1
"
    )
}

/// The function behind gRPC, until dropped.
struct Server {
    address: String,
    _runtime: tokio::runtime::Runtime,
}

struct InProcess(Function);

#[tonic::async_trait]
impl FunctionRunnerService for InProcess {
    async fn run_function(
        &self,
        request: tonic::Request<RunFunctionRequest>,
    ) -> Result<tonic::Response<RunFunctionResponse>, tonic::Status> {
        Ok(tonic::Response::new((self.0)(request.get_ref())))
    }
}

impl Server {
    fn start(function: Function) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime starts");
        let address = runtime.block_on(async {
            let incoming =
                tonic::transport::server::TcpIncoming::bind("127.0.0.1:0".parse().expect("an address"))
                    .expect("a port is free");
            let address = incoming.local_addr().expect("the port is known");
            let service = FunctionRunnerServiceServer::new(InProcess(function));
            tokio::spawn(
                tonic::transport::Server::builder()
                    .add_service(service)
                    .serve_with_incoming(incoming),
            );
            address
        });
        Self {
            address: address.to_string(),
            _runtime: runtime,
        }
    }
}
