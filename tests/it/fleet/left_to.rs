//! A macro for transports of tests that change one call and pass on the rest.

/// Delegates the methods that a test's transport does not change to the transport in its field `$host`.
macro_rules! left_to {
    ($host:ident) => {
        fn upload<'a>(
            &'a self,
            upload: &'a switchback::transport::raw::Upload,
            progress: &'a dyn switchback::transport::Progress,
        ) -> BoxFuture<'a, Result<switchback::transport::Uploaded, TransportError>> {
            self.$host.upload(upload, progress)
        }

        fn run<'a>(
            &'a self,
            call: &'a switchback::transport::raw::HookCall,
            output: &'a dyn switchback::transport::LineSink,
        ) -> BoxFuture<'a, Result<switchback::transport::HookExit, TransportError>> {
            self.$host.run(call, output)
        }

        fn close(&self) -> BoxFuture<'_, ()> {
            self.$host.close()
        }
    };
}
pub(crate) use left_to;
